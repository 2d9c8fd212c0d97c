import { type Code, httpStatusOf, type KcmError, type Step } from '@kcm/kernel';

/** A refused connect or probe is about what was sent, whatever the code means at use. */
const WHEN_CONNECTING = 422;

export const PROBLEM_TYPE = 'application/problem+json';
/** RFC 9457 problem details. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: Code;
  readonly correlationId: string;
  readonly errors?: KcmError['errors'];
  readonly step?: NonNullable<KcmError['step']>;
}

const title = (code: Code) => {
  const words = code.replaceAll('_', ' ');
  return words[0]!.toUpperCase() + words.slice(1);
};

/** @param step the one that a connect or a probe failed at */
export function problemStatusOf(code: Code, step: Step | null): number {
  const status = httpStatusOf(code);
  return step !== null && status === 403 ? WHEN_CONNECTING : status;
}

export function problemOf(error: KcmError, correlationId: string): Problem {
  return {
    type: `urn:kcm:problem:${error.code}`,
    title: title(error.code),
    status: problemStatusOf(error.code, error.step),
    detail: error.message,
    code: error.code,
    correlationId,
    ...(error.errors.length > 0 ? { errors: error.errors } : {}),
    ...(error.step === null ? {} : { step: error.step }),
  };
}
