import { Catch, type RpcExceptionFilter } from '@nestjs/common';
import { type Observable, throwError } from 'rxjs';

/**
 * Nest's own filter would log what a handler threw and hand on that something failed: with this one
 * (`useGlobalFilters`) MessagingServer is given it, and tells it.
 */
@Catch()
export class ThrowsAsItIs implements RpcExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}
