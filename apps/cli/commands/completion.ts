import { Argument, type Command } from 'commander';
import { bashCompletion } from '../completion/bash.js';
import { fishCompletion } from '../completion/fish.js';
import { type Place, placesOf } from '../completion/words.js';
import { zshCompletion } from '../completion/zsh.js';
import { declare } from '../program.js';

const SHELLS: { readonly [shell: string]: (places: readonly Place[]) => string } = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export function completionCommand(program: Command): void {
  declare(
    program,
    'completion',
    {
      summary: 'A script that teaches your shell the words of kcm',
      example: 'completion bash > ~/.local/share/bash-completion/completions/kcm',
    },
    (c) => c.addArgument(new Argument('<shell>').choices(Object.keys(SHELLS))),
    (_run, _options, shell) => Promise.resolve(SHELLS[shell]!(placesOf(program))),
  );
}
