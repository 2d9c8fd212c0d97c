import { terminalOf } from './terminal.js';

it('A terminal is fitted to, and coloured, only where there is one and nobody objects', () => {
  const tty = { isTTY: true, columns: 100 };
  expect(terminalOf(tty, {})).toEqual({ columns: 100, colour: true });
  expect(terminalOf(tty, { NO_COLOR: '1' })).toEqual({ columns: 100, colour: false });
  expect(terminalOf(tty, { TERM: 'dumb' })).toEqual({ columns: 100, colour: false });
  expect(terminalOf({ columns: 100 }, {})).toEqual({ columns: null, colour: false });
});
