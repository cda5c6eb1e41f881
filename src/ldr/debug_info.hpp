// The debug information of one ELF object in memory: a small owner of libdw's handles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

struct Dwfl;
struct Dwfl_Module;

namespace dirql::ldr {

struct CodeLocation;

class DebugInfo {
public:
    // `base` is what the object's own addresses were moved by. An object that libdw cannot read is one without information.
    [[nodiscard]] static DebugInfo from_bytes(const std::string& path, std::span<const std::byte> bytes,
                                              std::uintptr_t base);
    [[nodiscard]] static DebugInfo from_file(const std::string& path, std::uintptr_t base);

    // Fills in function, file and line as far as they are known.
    void look_up(std::uintptr_t address, CodeLocation& location) const;

private:
    struct Closer {
        void operator()(Dwfl* session) const noexcept;
    };
    DebugInfo() = default;
    void look_up_line(std::uintptr_t address, CodeLocation& location) const;
    static DebugInfo open(const std::string& path, int descriptor, std::uintptr_t base);

    std::unique_ptr<Dwfl, Closer> session_;
    Dwfl_Module* module_ = nullptr; // of session_
};

} // namespace dirql::ldr
