export { exportLedger } from './export-ledger.js';
export { importLedger } from './import-ledger.js';
export { checkBackup } from './backup-file.js';
export { restoreBackup } from './restore-backup.js';
export { placeOf, withLedger, withNewLedger } from './place.js';
