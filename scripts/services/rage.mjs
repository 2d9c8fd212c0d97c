// rage, the implementation of age in Rust, by its Python package: whoever holds a share opens it so.
import { ensurePython } from './pypi.mjs';

/** The folder for PYTHONPATH under which `import pyrage` works. @throws Error naming the package */
export const ensureRage = () =>
  ensurePython({ name: 'pyrage', version: '1.4.0', module: 'pyrage', needs: [] });
