/* What the driver and its applications agree on. */
#pragma once

/* Applications open this name ... */
#define HELLO_WIN32_NAME "\\\\.\\Hello"
/* ... which the driver makes a symbolic link to this device. */
#define HELLO_DEVICE_NAME L"\\Device\\Hello"
#define HELLO_LINK_NAME L"\\DosDevices\\Hello"
