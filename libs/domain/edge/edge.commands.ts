export type EdgeCommand =
  | {
      readonly kind: 'EnrolEdge';
      readonly services: readonly string[];
      readonly certificateSha256: string;
      readonly notAfter: string;
    }
  | { readonly kind: 'RevokeEdge' };
