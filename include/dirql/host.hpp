// The host's side of machines: address space to put them in, and plug-ins that are parsed once.
#pragma once

#include <memory>

#pragma GCC visibility push(default)

namespace dirql {

namespace api {
class HostImpl;
}

/// Owns and recycles the address space of machines, and caches plug-ins. Making a machine in a Host that has had one before
/// costs microseconds. May be used from several host threads at once. Outlives its machines.
///
/// A machine's memory is not handed on by fork(): in the child, a machine of the parent can be dropped, and throws
/// std::logic_error when it is used; new ones can be made. A child that is forked by an application in a run has lost the stack
/// under it, and ends with SIGSEGV at once.
class Host {
public:
    Host();
    ~Host();
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

private:
    friend class Machine;
    std::unique_ptr<api::HostImpl> impl_;
};

} // namespace dirql

#pragma GCC visibility pop
