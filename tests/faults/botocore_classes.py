"""Stand-ins for the exceptions of botocore: the same modules, names, bases and attributes."""

from typing import Any

EXCEPTIONS = "botocore.exceptions"
REQUESTS = "botocore.vendored.requests.exceptions"
URLLIB3 = "botocore.vendored.requests.packages.urllib3.exceptions"


def stand_in(module: str, name: str, *bases: type[Exception], **attributes: object) -> type[Any]:
    return type(name, bases, {"__module__": module, **attributes})


def _keep_kwargs(error: Any, /, **kwargs: object) -> None:
    Exception.__init__(error, error.fmt.format(**kwargs))
    error.kwargs = kwargs


def _keep_request(error: Any, /, request: object = None, response: object = None, **kwargs: object) -> None:
    error.request, error.response = request, response
    _keep_kwargs(error, **kwargs)


def _keep_response(error: Any, error_response: dict[str, Any], operation_name: str) -> None:
    details = error_response["Error"]
    message = f"({details['Code']}) when calling the {operation_name} operation: {details['Message']}"
    Exception.__init__(error, f"An error occurred {message}")
    error.response, error.operation_name = error_response, operation_name


RequestException = stand_in(REQUESTS, "RequestException", OSError)
RequestsConnectionError = stand_in(REQUESTS, "ConnectionError", RequestException)
RequestsSSLError = stand_in(REQUESTS, "SSLError", RequestsConnectionError)
Timeout = stand_in(REQUESTS, "Timeout", RequestException)
ConnectTimeout = stand_in(REQUESTS, "ConnectTimeout", RequestsConnectionError, Timeout)
ReadTimeout = stand_in(REQUESTS, "ReadTimeout", Timeout)

HTTPError = stand_in(URLLIB3, "HTTPError", Exception)
PoolError = stand_in(URLLIB3, "PoolError", HTTPError)
RequestError = stand_in(URLLIB3, "RequestError", PoolError)
URLLib3TimeoutError = stand_in(URLLIB3, "TimeoutError", HTTPError)
URLLib3ReadTimeoutError = stand_in(URLLIB3, "ReadTimeoutError", URLLib3TimeoutError, RequestError)

BotoCoreError = stand_in(EXCEPTIONS, "BotoCoreError", Exception, __init__=_keep_kwargs)
HTTPClientError = stand_in(EXCEPTIONS, "HTTPClientError", BotoCoreError, __init__=_keep_request)
ConnectionError_ = stand_in(EXCEPTIONS, "ConnectionError", BotoCoreError)

EndpointConnectionError = stand_in(
    EXCEPTIONS,
    "EndpointConnectionError",
    ConnectionError_,
    fmt='Could not connect to the endpoint URL: "{endpoint_url}"',
)
ConnectTimeoutError = stand_in(
    EXCEPTIONS,
    "ConnectTimeoutError",
    ConnectionError_,
    ConnectTimeout,
    fmt='Connect timeout on endpoint URL: "{endpoint_url}"',
)
ReadTimeoutError = stand_in(
    EXCEPTIONS,
    "ReadTimeoutError",
    HTTPClientError,
    ReadTimeout,
    URLLib3ReadTimeoutError,
    fmt='Read timeout on endpoint URL: "{endpoint_url}"',
)
ConnectionClosedError = stand_in(
    EXCEPTIONS,
    "ConnectionClosedError",
    HTTPClientError,
    fmt='Connection was closed before we received a valid response from endpoint URL: "{endpoint_url}".',
)
ResponseStreamingError = stand_in(
    EXCEPTIONS,
    "ResponseStreamingError",
    HTTPClientError,
    fmt="An error occurred while reading from response stream: {error}",
)
SSLError = stand_in(
    EXCEPTIONS,
    "SSLError",
    ConnectionError_,
    RequestsSSLError,
    fmt="SSL validation failed for {endpoint_url} {error}",
)

ClientError = stand_in(EXCEPTIONS, "ClientError", Exception, __init__=_keep_response)


def client_error(code: str, status: int, headers: dict[str, str], modelled: bool) -> Exception:
    """The error of a client: of a class named like the code where the model of the service has that code."""
    response = {
        "Error": {"Code": code, "Message": "recorded"},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers, "RetryAttempts": 0},
    }
    of_code = stand_in("botocore.errorfactory", code, ClientError) if modelled else ClientError
    return of_code(response, "Recorded")
