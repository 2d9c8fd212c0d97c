export type ClaimState =
  | { readonly status: 'free' }
  | { readonly status: 'claimed'; readonly tenant: string; readonly rootKeyId: string };
