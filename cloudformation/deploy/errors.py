"""What `vitrine cloud` can complain about; every message is one line that ends with what to do.

DeployError             what was asked for, or a template, is wrong (command: exit 2)
├── ParameterError      a parameter is missing, unknown or out of its bounds
├── TemplateError       a template cannot be read
├── PriceError          the price file cannot be read
├── RefusedError        needs a confirmation that was not given
└── CloudError          AWS, the network or the stack: nothing the caller wrote (command: exit 1)
    ├── CredentialsError    nobody has logged in
    └── StackError          a stack did not become what was planned
"""

from __future__ import annotations


class DeployError(Exception):
    """Base of everything this package raises on purpose."""


class ParameterError(DeployError):
    """A parameter is missing, unknown or outside the bounds that its template states."""


class TemplateError(DeployError):
    """A template cannot be read, or says something that cannot be worked out."""


class PriceError(DeployError):
    """The price file lacks a price or is not in its format."""


class RefusedError(DeployError):
    """Nothing was done, because nobody agreed to it."""


class CloudError(DeployError):
    """AWS refused, failed or could not be reached."""


class CredentialsError(CloudError):
    """No credentials, or expired ones."""


class StackError(CloudError):
    """A stack ended in another state than planned; the message has the cause and the way out."""
