import type { Standalone } from './standalone.js';

/** What a person reads after `npm start`: what is trial-grade, and what to type next. */
export function welcome({ http, dataDir, seal, initialized, edgeSockets }: Standalone): string {
  const trial = [
    'Trial-grade about this set-up:',
    '  - one machine: ledger, vault and erasure store share a disk, so a shred is',
    '    "recoverable from a disk image"',
    '  - tokens and certificates come from the local issuer: one operator could mint any',
  ];
  if (seal === 'auto') trial.push('  - the unseal key lies beside the data (KCM_SEAL=auto)');
  const sealed = initialized
    ? ['The region is sealed. Type: npx kcm unseal --share -']
    : ['The region is not initialized. Type: npx kcm init --shares 3 --threshold 2'];
  const next = [
    'Type next',
    '  as a bank:               npx kcm keystore serve        (your own root key, in another shell)',
    '                           npx kcm keystore create acme',
    '  as a platform engineer:  npx kcm tenant create acme && npx kcm tenant activate acme',
    '                           npx kcm rootkey connect --help',
    '                           npx kcm encrypt --tenant acme < file',
    '  as an auditor:           npx kcm token create --tenant acme --role auditor --subject ada',
    '                           npx kcm audit search --tenant acme',
  ];
  const where = [
    `OpenKCM answers on ${http}   (API: ${http}/openapi.json)`,
    `Data in ${dataDir}; the operator's token is ${dataDir}/operator-token`,
    ...Object.entries(edgeSockets).map(([service, path]) => `Edge for ${service}: ${path}`),
  ];
  const lines = [...where, '', ...trial, '', ...(seal === 'shamir' ? sealed : next)];
  return `${lines.join('\n')}\n`;
}
