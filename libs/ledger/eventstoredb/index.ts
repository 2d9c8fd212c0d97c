export * from './eventstoredb-ledger.js';
