/** Largest body of a request to the API, in bytes. */
export const maxBodyBytes = 1_048_576
