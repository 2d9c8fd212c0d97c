import { KcmError, type Position } from '@kcm/kernel';

const DIGITS = 16;
const FORM = /^[0-9]{16}$/;

/** Fixed width, so that positions sort as text. */
export const positionOf = (row: number): Position => String(row).padStart(DIGITS, '0') as Position;

/** @throws KcmError invalid_request on what this ledger never gave out */
export function rowOf(position: Position): number {
  const row = FORM.test(position) ? Number(position) : Number.NaN;
  if (!Number.isSafeInteger(row) || row < 1)
    throw new KcmError('invalid_request', 'Not a position of this ledger.');
  return row;
}
