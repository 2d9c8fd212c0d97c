import type { Position as LogPosition } from '@eventstore/db-client';
import { KcmError, type Position } from '@kcm/kernel';

/** 2^64 has 20 digits. */
const DIGITS = 20;
const FORM = /^[0-9]{40}$/;

/** Commit, then prepare, fixed width: positions sort as text. */
export const positionOf = ({ commit, prepare }: LogPosition): Position =>
  `${String(commit).padStart(DIGITS, '0')}${String(prepare).padStart(DIGITS, '0')}` as Position;

/** @throws KcmError invalid_request on what this ledger never gave out */
export function logPositionOf(position: Position): LogPosition {
  if (!FORM.test(position)) throw new KcmError('invalid_request', 'Not a position of this ledger.');
  return {
    commit: BigInt(position.slice(0, DIGITS)),
    prepare: BigInt(position.slice(DIGITS)),
  };
}
