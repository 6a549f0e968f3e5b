/** The members of an error, in HTML and in problem+json alike. */
export interface ErrorFacts {
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly code: string
  readonly request_id: string
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
}

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? character)

/** An error as an HTML page. All texts are escaped, and the page loads nothing. */
export const errorPage = ({ status, title, detail, code, request_id }: ErrorFacts): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${status} ${escaped(title)}</title>
</head>
<body>
<h1>${status} ${escaped(title)}</h1>
<p>${escaped(detail)}</p>
<p>Code: <code>${escaped(code)}</code><br>
Request: <code>${escaped(request_id)}</code></p>
</body>
</html>
`
