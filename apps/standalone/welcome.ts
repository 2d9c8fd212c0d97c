import type { Standalone } from './standalone.js';

type About = Pick<
  Standalone,
  'http' | 'dataDir' | 'seal' | 'oidc' | 'initialized' | 'edgeSockets' | 'stores'
>;

/** What a person reads after `npm start`: what is trial-grade, and what to type next. */
export function welcome(about: About): string {
  const { http, dataDir, seal, oidc, initialized, edgeSockets, stores } = about;
  const trial = [
    'Trial-grade about this set-up:',
    ...stores.map((text) => `  - ${text}`),
    oidc
      ? '  - certificates come from the local authority: one operator could issue any'
      : '  - tokens and certificates come from the local issuer: one operator could mint any',
  ];
  if (seal === 'auto') trial.push('  - the unseal key lies beside the data (KCM_SEAL=auto)');
  const tokenFor = (subject: string, roles: string) =>
    oidc
      ? `    a token of your OIDC issuer for acme, with what it maps to ${roles} > ${subject}`
      : `    npx kcm token create --tenant acme --role ${roles} --subject ${subject} > ${subject}`;
  const waiting =
    seal === 'shamir'
      ? 'The region is sealed. Type: npx kcm unseal --share -'
      : 'The region is sealed until its keystore opens it. How it stands: npx kcm status';
  const sealed = initialized
    ? [waiting]
    : ['The region is not initialized. Type: npx kcm init --shares 3 --threshold 2'];
  const next = [
    'Type next, in another shell',
    '  as a bank:  your own root key, in a keystore of your own',
    '    npx kcm keystore serve',
    '    npx kcm keystore create acme                        (prints the token that opens it)',
    '  as a platform engineer:  a tenant, its root key, a service',
    '    npx kcm tenant create acme && npx kcm tenant activate acme',
    tokenFor('anna', 'tenant-admin key-admin'),
    '    KCM_TOKEN_FILE=anna npx kcm rootkey connect --tenant acme --keystore software \\',
    '      --reference url=http://127.0.0.1:8300 key=acme --credential token=…',
    '    KCM_TOKEN_FILE=anna npx kcm service map default --tenant acme',
    '    npx kcm encrypt --tenant acme < file',
    '  as an auditor:  what happened, and who could decrypt',
    tokenFor('ada', 'auditor'),
    '    KCM_TOKEN_FILE=ada npx kcm audit search --tenant acme',
  ];
  const where = [
    `OpenKCM answers on ${http}   (its API: ${http}/docs)`,
    `Data in ${dataDir}; the operator's token is ${dataDir}/operator-token`,
    ...Object.entries(edgeSockets).map(([service, path]) => `Edge for ${service}: ${path}`),
  ];
  const lines = [...where, '', ...trial, '', ...(seal === 'auto' ? next : sealed)];
  return `${lines.join('\n')}\n`;
}
