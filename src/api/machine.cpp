#include <dirql/machine.hpp>

#include "api/machine_impl.hpp"

#include <stdexcept>

namespace dirql {

Machine::Machine(MachineOptions options)
    : own_host_(std::make_unique<Host>()),
      impl_(std::make_unique<api::MachineImpl>(*own_host_->impl_, std::move(options))) {}
Machine::Machine(Host& host, MachineOptions options)
    : impl_(std::make_unique<api::MachineImpl>(*host.impl_, std::move(options))) {}
Machine::~Machine() = default;
Machine::Machine(Machine&&) noexcept = default;

// The old machine goes before the Host that it may live in.
Machine& Machine::operator=(Machine&& other) noexcept {
    impl_ = std::move(other.impl_);
    own_host_ = std::move(other.own_host_);
    return *this;
}

api::MachineImpl& Machine::impl() const {
    if (impl_ == nullptr) throw std::logic_error("a Machine is used that has been moved from");
    impl_->require_own_process();
    return *impl_;
}

namespace {

// What a listener has thrown leaves the call that drove the machine, when that has come to its end.
template <class Call> auto driven(api::MachineImpl& machine, Call&& call) {
    auto result = call();
    machine.rethrow_of_listener();
    return result;
}

} // namespace

Result<Driver> Machine::load(const LinkedDriver& driver) {
    return driven(impl(), [&] { return impl_->load_linked(driver); });
}
Result<Driver> Machine::load(const std::filesystem::path& plug_in) {
    return driven(impl(), [&] { return impl_->load_plug_in(plug_in); });
}
Result<Driver> Machine::load(std::string_view name, void* driver_entry) {
    return driven(impl(), [&] { return impl_->load_function(name, driver_entry); });
}
std::vector<Result<Driver>> Machine::load_boot_drivers(const std::vector<DriverSource>& drivers) {
    return driven(impl(), [&] { return impl_->load_boot_drivers(drivers); });
}
Result<Unload> Machine::unload(const Driver& driver) {
    return driven(impl(), [&] { return impl_->unload(driver.id_); });
}

Outcome Machine::run(const std::function<void(Process&)>& body) { return run({}, body); }

Outcome Machine::run(const ProcessOptions& options, const std::function<void(Process&)>& body) {
    return driven(impl(), [&] { return impl_->run_application(options, body); });
}
Outcome Machine::run_in_kernel(const std::function<void()>& body) {
    return driven(impl(), [&] { return impl_->run_in_kernel(body); });
}
Outcome Machine::advance(std::chrono::nanoseconds duration) {
    return driven(impl(), [&] { return impl_->advance(duration); });
}

Outcome Machine::shutdown() {
    return driven(impl(), [&] { return impl_->shutdown(); });
}

const std::vector<ErrorLogEntry>& Machine::error_log() const { return impl().error_log; }
const Outcome& Machine::outcome() const { return impl().outcome; }
const std::string& Machine::debug_output() const { return impl().debug_text; }
std::chrono::nanoseconds Machine::now() const { return std::chrono::nanoseconds(impl().kernel().time()); }
Trace& Machine::trace() { return impl().trace; }

} // namespace dirql
