import { execFileSync } from 'node:child_process';
import { kcmProgram } from '../kcm-program.js';
import { bashCompletion } from './bash.js';
import { fishCompletion } from './fish.js';
import { placesOf } from './words.js';
import { zshCompletion } from './zsh.js';

const places = placesOf(kcmProgram());

/** What bash offers for the last of the words after `kcm`. */
function offered(...typed: string[]): string[] {
  const ask = `${bashCompletion(places)}
COMP_WORDS=(kcm "$@"); COMP_CWORD=$#; _kcm; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const said = execFileSync('bash', ['--norc', '-c', ask, 'bash', ...typed], { encoding: 'utf8' });
  return said.split('\n').filter((word) => word !== '');
}

describe('Completion in bash', () => {
  it('offers every command of the program, at its start and in a group', () => {
    const program = kcmProgram();
    const names = program.commands.map((command) => command.name());
    expect(offered('')).toEqual(expect.arrayContaining(names));
    const tenant = program.commands.find((command) => command.name() === 'tenant')!;
    const inside = tenant.commands.map((command) => command.name());
    expect(offered('tenant', '').filter((word) => !word.startsWith('--'))).toEqual(inside);
  });

  it('narrows to what was begun', () => {
    expect(offered('tenant', 'cr')).toEqual(['create']);
    expect(offered('tenant', 'create', 'acme', '--lease')).toEqual(['--lease-seconds']);
    expect(offered('completion', 'z')).toEqual(['zsh']);
  });

  it('keeps the place behind arguments and options, and leaves values to files', () => {
    expect(offered('pki', 'issue', '--tenant', 'acme', '--s')).toEqual(['--service']);
    expect(offered('pki', 'issue', '--out', '')).toEqual([]);
    expect(offered('--json', 'tenant', 'sh')).toEqual(['show']);
  });
});

describe.each([
  ['bash', bashCompletion],
  ['zsh', zshCompletion],
  ['fish', fishCompletion],
] as const)('The script for %s', (_shell, made) => {
  const script = made(places);

  it('knows every command and every option', () => {
    const words = places.flatMap(({ commands, options }) =>
      [...commands, ...options].map(({ word }) => word),
    );
    const bare = words.map((word) => word.replace(/^--/, ''));
    expect(bare.filter((word) => !new RegExp(`[ '-]${word}[ ':]`).test(`${script} `))).toEqual([]);
  });
});
