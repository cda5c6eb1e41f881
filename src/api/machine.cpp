#include <dirql/machine.hpp>

#include "api/machine_impl.hpp"

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

Result<Driver> Machine::load(const LinkedDriver& driver) { return impl_->load_linked(driver); }
Result<Driver> Machine::load(const std::filesystem::path& plug_in) { return impl_->load_plug_in(plug_in); }
Result<Driver> Machine::load(std::string_view name, void* driver_entry) {
    return impl_->load_function(name, driver_entry);
}
Result<Unload> Machine::unload(const Driver& driver) { return impl_->unload(driver.id_); }

Outcome Machine::run(const std::function<void(Process&)>& body) { return impl_->run_application(body); }
Outcome Machine::run_in_kernel(const std::function<void()>& body) { return impl_->run_in_kernel(body); }
Outcome Machine::advance(std::chrono::nanoseconds duration) { return impl_->advance(duration); }

const Outcome& Machine::outcome() const noexcept { return impl_->outcome; }
const std::string& Machine::debug_output() const noexcept { return impl_->debug_text; }
std::chrono::nanoseconds Machine::now() const noexcept { return std::chrono::nanoseconds(impl_->kernel().time()); }
Trace& Machine::trace() noexcept { return impl_->trace; }

} // namespace dirql
