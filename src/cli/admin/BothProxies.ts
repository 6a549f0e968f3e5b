// A number of two proxies together. What one of them does not know is that of the other.

const both =
  (together: (one: number, other: number) => number) =>
  <Unknown extends null | undefined>(one: number | Unknown, other: number | Unknown): number | Unknown =>
    typeof one !== "number" ? other : typeof other !== "number" ? one : together(one, other)

export const sum = both((one, other) => one + other)
export const most = both(Math.max)
export const least = both(Math.min)
