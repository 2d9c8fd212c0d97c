export type { ProvenEvent, Receipt, ReceiptHolder, Trust } from './receipt.js';
export * from './render-receipt.js';
export * from './verify-receipt.js';
