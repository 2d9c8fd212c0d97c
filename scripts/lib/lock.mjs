// One at a time over processes: whoever sets up, the others wait. Plain JavaScript for Node 20.
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_MS = 100;

/** When a process began, so that another one with its pid is not taken for it; '' is unknown. */
function beganAt(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')[19];
  } catch {
    return '';
  }
}

function isAlive({ pid, began }) {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
  return began === '' || beganAt(pid) === '' || beganAt(pid) === began;
}

/** The highest turn that was ever taken here. */
function lastTurn(folder) {
  const turns = readdirSync(folder).filter((name) => /^\d+$/.test(name));
  return Math.max(0, ...turns.map(Number));
}

/** The owner of a turn, null when it is over. */
function ownerOf(folder, turn) {
  try {
    const owner = JSON.parse(readFileSync(join(folder, String(turn)), 'utf8'));
    return owner.pid !== undefined && isAlive(owner) ? owner : null;
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * The next turn, once the one before it is over. A turn is a file that is linked into place whole,
 * so that of two who find the last one over only one takes the next; the highest is never removed,
 * so that a slow one cannot take a number again.
 */
async function takeTurn(folder, onWait) {
  const mine = join(folder, `of-${process.pid}`);
  writeFileSync(mine, JSON.stringify({ pid: process.pid, began: beganAt(process.pid) }));
  try {
    for (let told = false; ; await sleep(LOOK_MS)) {
      const last = lastTurn(folder);
      const owner = ownerOf(folder, last);
      if (owner !== null) {
        if (!told) onWait(owner.pid);
        told = true;
        continue;
      }
      const path = join(folder, String(last + 1));
      try {
        linkSync(mine, path);
      } catch (error) {
        if (error.code === 'EEXIST') continue;
        throw error;
      }
      if (lastTurn(folder) === last + 1) return last + 1;
      rmSync(path);
    }
  } finally {
    rmSync(mine, { force: true });
  }
}

/**
 * Does the work while nobody else does theirs under this folder. An owner that died without letting
 * go is passed over. @param onWait is told the pid of who is waited for
 */
export async function alone(folder, work, onWait = () => {}) {
  mkdirSync(folder, { recursive: true });
  const turn = await takeTurn(folder, onWait);
  for (const name of readdirSync(folder)) {
    if (/^\d+$/.test(name) && Number(name) < turn) rmSync(join(folder, name), { force: true });
  }
  try {
    return await work();
  } finally {
    writeFileSync(join(folder, String(turn)), '{}');
  }
}
