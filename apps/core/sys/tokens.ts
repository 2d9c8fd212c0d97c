/** Core's own fold of the ledger, for the routes that decide by it. */
export const CORE_VIEW = Symbol('CoreView');
