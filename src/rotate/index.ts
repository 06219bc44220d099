/** `volseal/rotate`: going over to new keys, and proof that the old ones are gone. */

export { VolsealError, type VolsealErrorCode } from '../errors.ts';
export { audit } from './audit.ts';
export {
  type CompromisedReport,
  type RotateCompromisedOptions,
  rotateCompromised,
} from './compromised.ts';
export { plan } from './plan.ts';
export type {
  AuditedKey,
  AuditedKeyKind,
  AuditOptions,
  AuditReport,
  HolderBehind,
  PathFailure,
  PathReason,
  PlannedRotation,
  PlanStep,
  RetireOptions,
  RetireReport,
  RewrapOptions,
  RewrapReport,
  RotateVolumeKeyOptions,
  RotateVolumeKeyReport,
  RotationPlan,
  RunOptions,
  RunProgress,
} from './report-types.ts';
export { retire } from './retire.ts';
export { rewrap } from './rewrap.ts';
export { rotateSecret } from './secret.ts';
export type {
  RetiredKey,
  RotateSecretOptions,
  RotateSecretReport,
  SecretStepReport,
  SecretStepState,
  WaitingStep,
} from './secret-report.ts';
export type { SecretStep } from './secret-steps.ts';
export { rotateVolumeKey } from './volume-key.ts';
