export { exportLedger } from './export-ledger.js';
export { importLedger } from './import-ledger.js';
export { placeOf, withLedger, withNewLedger } from './place.js';
