/** Contract, "Overview": where every endpoint but the health pages lives. */
export const BASE_PATH = '/api/v1'
