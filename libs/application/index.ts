export * from './command-context.js';
export * from './commands.js';
export * from './queries.js';
export * from './read-token.js';
export * from './refusals.js';
export * from './run-decider.js';
export * from './subjects.js';
