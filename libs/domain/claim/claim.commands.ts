export type ClaimCommand = {
  readonly kind: 'ClaimRootKey';
  readonly tenant: string;
  readonly rootKeyId: string;
};
