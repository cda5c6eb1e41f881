// MDLs and what is done to them, held against arrays of bytes.
#include "catch.hpp"
#include "mm/arena.hpp"
#include "mm/mdl.hpp"
#include "support/kernel_fixture.hpp"

#include <cstring>
#include <random>
#include <vector>

using namespace dirql;
using test::KernelFixture;

TEST_CASE("MDLs, their parts and their chains agree with arrays of bytes", "[mdl][property]") {
    KernelFixture kernel;
    ke::Process& process = kernel.create_process();
    const std::uint64_t seed = GENERATE(3, 4);
    const ke::Stop stop = kernel.run([&] {
        constexpr std::size_t size = 8 * PAGE_SIZE;
        auto* user = static_cast<std::byte*>(mm::allocate_user(process, size));
        std::vector<std::byte> model(size); // what the buffer holds
        for (std::size_t i = 0; i < size; ++i) user[i] = model[i] = static_cast<std::byte>(i * 7);
        std::mt19937_64 random(seed);
        const auto upto = [&](std::size_t bound) { return static_cast<std::size_t>(random() % bound); };
        struct Part {
            PMDL mdl;
            std::size_t offset, length;
            bool locked; // else a part of another
            std::size_t source;
        };
        IRP irp{};
        std::vector<Part> chain;
        const auto drop_all = [&] {
            irp.MdlAddress = nullptr;
            for (std::size_t i = chain.size(); i-- != 0;) { // parts are behind their sources
                if (chain[i].locked) MmUnlockPages(chain[i].mdl);
                IoFreeMdl(chain[i].mdl);
            }
            chain.clear();
        };
        std::size_t mismatches = 0;
        const auto expect = [&](bool holds) { mismatches += !holds; };
        for (int step = 0; step < 10'000; ++step) {
            switch (upto(5)) {
            case 0: { // another buffer in the chain
                if (chain.size() == 12) drop_all();
                const std::size_t offset = upto(size - 1), length = 1 + upto(size - offset - 1);
                PMDL mdl =
                    IoAllocateMdl(user + offset, static_cast<ULONG>(length), irp.MdlAddress != nullptr, FALSE, &irp);
                MmProbeAndLockPages(mdl, UserMode, IoModifyAccess);
                chain.push_back({mdl, offset, length, true, 0});
                break;
            }
            case 1: { // a part of one
                if (chain.empty() || chain.size() == 12) break;
                const std::size_t of = upto(chain.size());
                const Part source = chain[of];
                if (!source.locked) break;
                const std::size_t from = upto(source.length), length = 1 + upto(source.length - from);
                PMDL mdl = IoAllocateMdl(user + source.offset, static_cast<ULONG>(source.length),
                                         irp.MdlAddress != nullptr, FALSE, &irp);
                IoBuildPartialMdl(source.mdl, mdl, user + source.offset + from, static_cast<ULONG>(length));
                expect(mm::virtual_address(mdl) == user + source.offset + from);
                chain.push_back({mdl, source.offset + from, length, false, of});
                break;
            }
            case 2: { // the beginning goes
                if (chain.empty()) break;
                Part& part = chain[upto(chain.size())];
                const bool is_source = std::any_of(
                    chain.begin(), chain.end(), [&](const Part& p) { return !p.locked && &chain[p.source] == &part; });
                const std::size_t step_size = upto(part.length + 2);
                if (is_source || part.length < 2) break;
                const NTSTATUS status = MmAdvanceMdl(part.mdl, static_cast<ULONG>(step_size));
                expect(NT_SUCCESS(status) == (step_size < part.length));
                if (NT_SUCCESS(status)) part.offset += step_size, part.length -= step_size;
                break;
            }
            case 3: { // written through a mapping
                if (chain.empty()) break;
                const Part& part = chain[upto(chain.size())];
                auto* system = static_cast<std::byte*>(MmGetSystemAddressForMdlSafe(part.mdl, NormalPagePriority));
                const std::size_t where = upto(part.length);
                expect(system != nullptr);
                system[where] = model[part.offset + where] = static_cast<std::byte>(step);
                break;
            }
            default: { // the chain reads as its parts, one behind the other
                std::size_t i = 0;
                for (PMDL mdl = irp.MdlAddress; mdl != nullptr; mdl = mdl->Next, ++i) {
                    expect(mdl == chain[i].mdl && MmGetMdlByteCount(mdl) == chain[i].length);
                    const void* system = MmGetSystemAddressForMdlSafe(mdl, NormalPagePriority);
                    expect(std::memcmp(system, model.data() + chain[i].offset, chain[i].length) == 0);
                }
                expect(i == chain.size());
                if (upto(40) == 0) drop_all();
                break;
            }
            }
            if (mismatches != 0) FAIL("step " << step << " of seed " << seed << " is not as the model says");
        }
        drop_all();
        CHECK(std::memcmp(user, model.data(), size) == 0);
        CHECK(mm::arena_of(process)->locked_pages == 0);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
