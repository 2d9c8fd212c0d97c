/** Enumerations and masks of KMIP 1.4 §9.1.3.2–9.1.3.3, by their names in the standard. */
type ValueOf<T> = T[keyof T];

export const Operation = {
  Create: 0x01,
  CreateKeyPair: 0x02,
  Register: 0x03,
  ReKey: 0x04,
  DeriveKey: 0x05,
  Certify: 0x06,
  ReCertify: 0x07,
  Locate: 0x08,
  Check: 0x09,
  Get: 0x0a,
  GetAttributes: 0x0b,
  GetAttributeList: 0x0c,
  AddAttribute: 0x0d,
  ModifyAttribute: 0x0e,
  DeleteAttribute: 0x0f,
  ObtainLease: 0x10,
  GetUsageAllocation: 0x11,
  Activate: 0x12,
  Revoke: 0x13,
  Destroy: 0x14,
  Archive: 0x15,
  Recover: 0x16,
  Validate: 0x17,
  Query: 0x18,
  Cancel: 0x19,
  Poll: 0x1a,
  Notify: 0x1b,
  Put: 0x1c,
  ReKeyKeyPair: 0x1d,
  DiscoverVersions: 0x1e,
  Encrypt: 0x1f,
  Decrypt: 0x20,
  Sign: 0x21,
  SignatureVerify: 0x22,
  Mac: 0x23,
  MacVerify: 0x24,
  RngRetrieve: 0x25,
  RngSeed: 0x26,
  Hash: 0x27,
  CreateSplitKey: 0x28,
  JoinSplitKey: 0x29,
  Import: 0x2a,
  Export: 0x2b,
} as const;
export type Operation = ValueOf<typeof Operation>;

export const ResultStatus = {
  Success: 0,
  OperationFailed: 1,
  OperationPending: 2,
  OperationUndone: 3,
} as const;
export type ResultStatus = ValueOf<typeof ResultStatus>;

export const ResultReason = {
  ItemNotFound: 0x01,
  ResponseTooLarge: 0x02,
  AuthenticationNotSuccessful: 0x03,
  InvalidMessage: 0x04,
  OperationNotSupported: 0x05,
  MissingData: 0x06,
  InvalidField: 0x07,
  FeatureNotSupported: 0x08,
  OperationCanceledByRequester: 0x09,
  CryptographicFailure: 0x0a,
  IllegalOperation: 0x0b,
  PermissionDenied: 0x0c,
  ObjectArchived: 0x0d,
  IndexOutOfBounds: 0x0e,
  ApplicationNamespaceNotSupported: 0x0f,
  KeyFormatTypeNotSupported: 0x10,
  KeyCompressionTypeNotSupported: 0x11,
  EncodingOptionError: 0x12,
  KeyValueNotPresent: 0x13,
  AttestationRequired: 0x14,
  AttestationFailed: 0x15,
  Sensitive: 0x16,
  NotExtractable: 0x17,
  ObjectAlreadyExists: 0x18,
  GeneralFailure: 0x100,
} as const;
export type ResultReason = ValueOf<typeof ResultReason>;

export const BatchErrorContinuation = { Continue: 1, Stop: 2, Undo: 3 } as const;
export type BatchErrorContinuation = ValueOf<typeof BatchErrorContinuation>;

export const ObjectType = {
  Certificate: 1,
  SymmetricKey: 2,
  PublicKey: 3,
  PrivateKey: 4,
  SplitKey: 5,
  Template: 6,
  SecretData: 7,
  OpaqueObject: 8,
  PgpKey: 9,
} as const;
export type ObjectType = ValueOf<typeof ObjectType>;

export const State = {
  PreActive: 1,
  Active: 2,
  Deactivated: 3,
  Compromised: 4,
  Destroyed: 5,
  DestroyedCompromised: 6,
} as const;
export type State = ValueOf<typeof State>;

export const CryptographicAlgorithm = {
  Des: 1,
  TripleDes: 2,
  Aes: 3,
  Rsa: 4,
  Dsa: 5,
  Ecdsa: 6,
  HmacSha1: 7,
  HmacSha224: 8,
  HmacSha256: 9,
  HmacSha384: 0x0a,
  HmacSha512: 0x0b,
} as const;
export type CryptographicAlgorithm = ValueOf<typeof CryptographicAlgorithm>;

export const KeyFormatType = {
  Raw: 1,
  Opaque: 2,
  Pkcs1: 3,
  Pkcs8: 4,
  X509: 5,
  EcPrivateKey: 6,
  TransparentSymmetricKey: 7,
} as const;
export type KeyFormatType = ValueOf<typeof KeyFormatType>;

export const KeyWrapType = { NotWrapped: 1, AsRegistered: 2 } as const;
export type KeyWrapType = ValueOf<typeof KeyWrapType>;

export const WrappingMethod = {
  Encrypt: 1,
  MacSign: 2,
  EncryptThenMacSign: 3,
  MacSignThenEncrypt: 4,
  Tr31: 5,
} as const;
export type WrappingMethod = ValueOf<typeof WrappingMethod>;

export const EncodingOption = { NoEncoding: 1, TtlvEncoding: 2 } as const;
export type EncodingOption = ValueOf<typeof EncodingOption>;

export const BlockCipherMode = {
  Cbc: 1,
  Ecb: 2,
  Pcbc: 3,
  Cfb: 4,
  Ofb: 5,
  Ctr: 6,
  Cmac: 7,
  Ccm: 8,
  Gcm: 9,
  CbcMac: 0x0a,
  Xts: 0x0b,
  AesKeyWrapPadding: 0x0c,
  NistKeyWrap: 0x0d,
} as const;
export type BlockCipherMode = ValueOf<typeof BlockCipherMode>;

export const NameType = { UninterpretedTextString: 1, Uri: 2 } as const;
export type NameType = ValueOf<typeof NameType>;

export const LinkType = {
  CertificateLink: 0x101,
  PublicKeyLink: 0x102,
  PrivateKeyLink: 0x103,
  DerivationBaseObjectLink: 0x104,
  DerivedKeyLink: 0x105,
  ReplacementObjectLink: 0x106,
  ReplacedObjectLink: 0x107,
} as const;
export type LinkType = ValueOf<typeof LinkType>;

export const QueryFunction = {
  QueryOperations: 1,
  QueryObjects: 2,
  QueryServerInformation: 3,
  QueryApplicationNamespaces: 4,
  QueryExtensionList: 5,
  QueryExtensionMap: 6,
  QueryAttestationTypes: 7,
  QueryRngs: 8,
  QueryValidations: 9,
  QueryProfiles: 0x0a,
  QueryCapabilities: 0x0b,
  QueryClientRegistrationMethods: 0x0c,
} as const;
export type QueryFunction = ValueOf<typeof QueryFunction>;

export const UsageLimitsUnit = { Byte: 1, Object: 2 } as const;
export type UsageLimitsUnit = ValueOf<typeof UsageLimitsUnit>;

export const RevocationReasonCode = {
  Unspecified: 1,
  KeyCompromise: 2,
  CaCompromise: 3,
  AffiliationChanged: 4,
  Superseded: 5,
  CessationOfOperation: 6,
  PrivilegeWithdrawn: 7,
} as const;
export type RevocationReasonCode = ValueOf<typeof RevocationReasonCode>;

/** Cryptographic Usage Mask, §9.1.3.3.1: bits to be or-ed. */
export const UsageMask = {
  Sign: 0x1,
  Verify: 0x2,
  Encrypt: 0x4,
  Decrypt: 0x8,
  WrapKey: 0x10,
  UnwrapKey: 0x20,
  Export: 0x40,
  MacGenerate: 0x80,
  MacVerify: 0x100,
  DeriveKey: 0x200,
} as const;

/** Storage Status Mask, §9.1.3.3.2: bits to be or-ed; a Locate without one means on-line alone. */
export const StorageStatus = { OnLine: 0x1, Archival: 0x2 } as const;

/** Whether a number is a value of the table. */
export const isValueOf = <T extends Record<string, number>>(
  table: T,
  value: number,
): value is ValueOf<T> => Object.values(table).includes(value);

/** Name of a value in the table, or its hexadecimal form. */
export const nameOf = (table: Record<string, number>, value: number): string =>
  Object.entries(table).find(([, known]) => known === value)?.[0] ?? `0x${value.toString(16)}`;
