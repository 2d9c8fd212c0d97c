/**
 * Where an URL leads: host and port, for people. A user and a password stand before the last @, even
 * where they hold what they should not.
 */
export const addressOf = (url: string): string =>
  url.replace(/^.*@|^[^:]+:\/\//s, '').split(/[/?]/, 1)[0] ?? '';
