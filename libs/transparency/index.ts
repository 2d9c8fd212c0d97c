export * from './checkpoint.js';
export * from './entry.js';
export * from './growing-tree.js';
export * from './hashes.js';
export * from './note.js';
export * from './proofs.js';
export * from './subtrees.js';
export * from './tiles.js';
