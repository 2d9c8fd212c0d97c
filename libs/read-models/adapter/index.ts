export * from './names.js';
export * from './paging.js';
export * from './waiters.js';
export * from './watchers.js';
