// From code addresses to functions and lines, for reports.
//
// Slow and allocating: used when a report is written, never on a path that a driver runs through. Call it as host code.
#pragma once

#include "ldr/elf_image.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace dirql::ldr {

// What is known of a code address. Whatever is not known is empty or 0.
struct CodeLocation {
    std::string image;         // the file's last part: "echo.so"
    std::uintptr_t offset = 0; // of the address from the image's base; from 0 when the image is unknown
    std::string function;
    std::string file; // as the compiler recorded it
    int line = 0;

    // "EchoRead (echo.c:42, echo.so+0x1234)", or as much of it as is known: "echo.so+0x1234", "0x1234". The file is
    // cut to its last part, so the text does not depend on where the driver was built.
    [[nodiscard]] std::string describe() const;
};

class Symbolizer {
public:
    Symbolizer();
    ~Symbolizer();
    Symbolizer(Symbolizer&&) noexcept;
    Symbolizer& operator=(Symbolizer&&) noexcept;

    // Makes a placed image known, whose template must outlive this object. The debug information is that of the bytes it was
    // loaded from, also when the file has been rebuilt since.
    void add(const LoadedImage& image);

    // Where an instruction is: in an added image, or else in the host program or one of its shared libraries.
    [[nodiscard]] CodeLocation locate(std::uintptr_t address);

    // Where the call is that returns to `address`: the instruction before may be the last of another line or function.
    [[nodiscard]] CodeLocation locate_caller(std::uintptr_t return_address);

private:
    class Module;

    [[nodiscard]] Module* module_of(std::uintptr_t address);
    [[nodiscard]] Module* add_host_module(std::uintptr_t address);

    std::vector<std::unique_ptr<Module>> modules_;
};

} // namespace dirql::ldr
