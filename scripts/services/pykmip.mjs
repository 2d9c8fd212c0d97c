// PyKMIP: a KMIP client that others wrote.
import { ensurePython } from './pypi.mjs';

/** The folder for PYTHONPATH under which `import kmip` works. @throws Error naming the package */
export const ensurePyKmip = () =>
  ensurePython({
    name: 'pykmip',
    version: '0.11.0',
    module: 'kmip.services.kmip_client',
    needs: [
      'certifi==2026.10.19.post1',
      'cffi==2.1.1',
      'charset-normalizer==3.5.2',
      'cryptography==50.0.2',
      'enum-compat==0.0.3',
      'idna==3.20',
      'pycparser==3.12',
      'requests==2.34.2',
      'six==1.17.0',
      'SQLAlchemy==2.1.9',
      'typing_extensions==4.16.0',
      'urllib3==2.8.0',
    ],
  });
