export type EdgeState =
  | { readonly status: 'absent' }
  | {
      readonly status: 'enrolled';
      readonly services: readonly string[];
      readonly certificateSha256: string;
      readonly notAfter: string;
    }
  | { readonly status: 'revoked' };
