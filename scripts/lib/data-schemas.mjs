// JSON Schema of what each event says, read from its TypeScript type: the type is what the product
// is compiled against, so nothing else can be the truth.
import { dirname } from 'node:path';
import ts from 'typescript';

const { TypeFlags, SymbolFlags } = ts;
const text = (value) => JSON.stringify(value);
const byText = (left, right) => (text(left) < text(right) ? -1 : 1);
const escaped = (literal) => literal.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');

/** The kernel's `Json`, whose name a union with `undefined` has lost. */
const isAnyJson = (parts, checker) =>
  [TypeFlags.String, TypeFlags.Number, TypeFlags.Null].every((flag) =>
    parts.some(({ flags }) => flags & flag),
  ) && parts.some((part) => checker.isArrayType(part));

/** Schema of a type that JSON can hold. @throws Error naming the place of any other */
class Mapper {
  /** Unions that are being mapped, by their parts. */
  #open = new Set();

  constructor(checker) {
    this.checker = checker;
  }

  map(type, at) {
    if (type.isUnion()) return this.#union(type, at);
    const { flags } = type;
    if (flags & TypeFlags.Null) return { type: 'null' };
    if (type.isStringLiteral() || type.isNumberLiteral()) return { const: type.value };
    if (flags & TypeFlags.BooleanLiteral) return { const: type.intrinsicName === 'true' };
    if (flags & TypeFlags.String) return { type: 'string' };
    if (flags & TypeFlags.Number) return { type: 'number' };
    if (flags & TypeFlags.TemplateLiteral) return this.#template(type, at);
    if (this.checker.isArrayType(type)) {
      const [item] = this.checker.getTypeArguments(type);
      return { type: 'array', items: this.map(item, `${at}[]`) };
    }
    if (flags & TypeFlags.Object) return this.#object(type, at);
    throw new Error(`${at}: JSON Schema has no ${this.checker.typeToString(type)}`);
  }

  #union(type, at) {
    const parts = type.types.filter(({ flags }) => !(flags & TypeFlags.Undefined));
    if (isAnyJson(parts, this.checker)) return {};
    const key = parts.map(({ id }) => id).join();
    if (this.#open.has(key)) throw new Error(`${at}: holds itself`);
    this.#open.add(key);
    const mapped = parts.map((part) => this.map(part, at));
    this.#open.delete(key);
    if (mapped.length === 1) return mapped[0];
    const isValue = (schema) => 'const' in schema || schema.type === 'null';
    const values = mapped.filter(isValue).map((schema) => schema.const ?? null);
    const others = mapped.filter((schema) => !isValue(schema));
    if (values.length === 2 && values.includes(true) && values.includes(false) && !others.length)
      return { type: 'boolean' };
    if (others.length === 0) return { enum: values.toSorted(byText) };
    const [other] = others;
    if (others.length === 1 && values.length === 1 && values[0] === null && other.type)
      return { ...other, type: [other.type, 'null'] };
    const listed = values.length === 0 ? [] : [{ enum: values.toSorted(byText) }];
    return { anyOf: [...listed, ...others.toSorted(byText)] };
  }

  #template(type, at) {
    if (type.types.some(({ flags }) => !(flags & TypeFlags.String)))
      throw new Error(`${at}: a pattern of anything but text`);
    return { type: 'string', pattern: `^${type.texts.map(escaped).join('[\\s\\S]*')}$` };
  }

  #object(type, at) {
    const [index] = this.checker.getIndexInfosOfType(type);
    if (index !== undefined && !(index.type.flags & TypeFlags.Never)) {
      return { type: 'object', additionalProperties: this.map(index.type, `${at}.*`) };
    }
    const properties = {};
    const required = [];
    for (const symbol of this.checker.getPropertiesOfType(type)) {
      const { name } = symbol;
      const description = ts.displayPartsToString(symbol.getDocumentationComment(this.checker));
      const schema = this.map(this.checker.getTypeOfSymbol(symbol), `${at}.${name}`);
      properties[name] = {
        ...(description === '' ? {} : { description: description.replaceAll(/\s+/g, ' ') }),
        ...schema,
      };
      if (!(symbol.flags & SymbolFlags.Optional)) required.push(name);
    }
    return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) };
  }
}

/**
 * By event type: the schema of its data, from the union `AnyEvent` that `file` exports.
 * @throws Error where `file` does not compile, or says what JSON cannot
 */
export function dataSchemas(file, tsconfig) {
  const { config } = ts.readConfigFile(tsconfig, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, dirname(tsconfig));
  const program = ts.createProgram([file], { ...options, noEmit: true, types: [] });
  const source = program.getSourceFile(file);
  const wrong = ts.getPreEmitDiagnostics(program, source);
  if (wrong.length > 0) throw new Error(ts.flattenDiagnosticMessageText(wrong[0].messageText, ' '));
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(source));
  const any = checker.getDeclaredTypeOfSymbol(exported.find(({ name }) => name === 'AnyEvent'));
  const mapper = new Mapper(checker);
  const schemas = new Map();
  for (const member of any.types) {
    const of = (name) => checker.getTypeOfSymbol(checker.getPropertyOfType(member, name));
    const names = of('type').isUnion() ? of('type').types : [of('type')];
    for (const { value } of names) schemas.set(value, mapper.map(of('data'), value));
  }
  return schemas;
}
