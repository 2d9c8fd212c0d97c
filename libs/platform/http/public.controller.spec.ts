import type { FastifyReply } from 'fastify';
import { PublicController } from './public.controller.js';
import type { Routes } from './routes.js';

describe('What anybody may ask', () => {
  it('makes the description once, however often it is asked for', () => {
    let made = 0;
    const all = () => {
      made += 1;
      return [];
    };
    const controller = new PublicController(null!, { all } as unknown as Routes, null!);
    const types: string[] = [];
    const reply = { type: (type: string) => types.push(type) } as unknown as FastifyReply;
    const texts = [1, 2, 3].map(() => controller.openapi(reply));
    expect(made).toBe(1);
    expect(new Set(texts).size).toBe(1);
    expect(JSON.parse(texts[0]!)).toMatchObject({ openapi: '3.1.0', paths: {} });
    expect(types).toEqual(Array(3).fill('application/json; charset=utf-8'));
  });
});
