// The handle table and the namespace against models that are too simple to be wrong, over random operations.
#include "attributes.hpp"
#include "catch.hpp"
#include "support/kernel_fixture.hpp"

#include "ob/state.hpp"

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace dirql;
using namespace dirql::test;

namespace {

constexpr int steps = 10'000;

struct PropertyFixture : KernelFixture {
    PropertyFixture() : KernelFixture({ob::initialize}) { seen = {}; }
};

// Which value comes next: the one freed last, else the lowest never used.
class HandleModel {
public:
    std::uint64_t take() {
        if (!freed_.empty()) {
            const std::uint64_t value = freed_.back();
            freed_.pop_back();
            return value;
        }
        fresh_ += 4;
        if (fresh_ % 0x400 == 0) fresh_ += 4;
        return fresh_;
    }
    void give(std::uint64_t value) { freed_.push_back(value); }

private:
    std::vector<std::uint64_t> freed_;
    std::uint64_t fresh_ = 0;
};

void check_handles(std::mt19937& random) {
    HandleModel model;
    std::map<std::uint64_t, TestObject*> open;
    std::map<TestObject*, int> handles; // of each object
    const auto pick = [&](auto& container) { return std::next(container.begin(), random() % container.size()); };
    for (int step = 0; step < steps; ++step) {
        const unsigned action = random() % 100;
        if (open.empty() || action < 40) {
            TestObject* object = make_object(test_type);
            HANDLE handle = nullptr;
            REQUIRE(ob::insert_object(object, test_read, &handle) == STATUS_SUCCESS);
            REQUIRE(value_of(handle) == model.take());
            object->value = static_cast<std::uint64_t>(step);
            open[value_of(handle)] = object;
            handles[object] = 1;
        } else if (action < 55) {
            TestObject* object = pick(open)->second;
            HANDLE handle = nullptr;
            REQUIRE(ob::open_by_pointer(object, 0, nullptr, test_read, &test_type, KernelMode, &handle) ==
                    STATUS_SUCCESS);
            REQUIRE(value_of(handle) == model.take());
            open[value_of(handle)] = object;
            ++handles[object];
        } else if (action < 90) {
            const auto closing = pick(open);
            TestObject* object = closing->second;
            const unsigned destroyed = seen.destroyed;
            REQUIRE(ob::close(reinterpret_cast<HANDLE>(closing->first), KernelMode) == STATUS_SUCCESS);
            model.give(closing->first);
            const bool last = --handles[object] == 0;
            REQUIRE(seen.destroyed == destroyed + (last ? 1 : 0));
            if (last) handles.erase(object);
            open.erase(closing);
        } else {
            const std::uint64_t value = random() % 0x8000 & ~3ull;
            void* body = nullptr;
            const NTSTATUS status =
                ob::reference_by_handle(reinterpret_cast<HANDLE>(value), 0, &test_type, UserMode, &body);
            const auto expected = open.find(value);
            REQUIRE(status == (expected == open.end() ? STATUS_INVALID_HANDLE : STATUS_SUCCESS));
            if (body != nullptr) {
                REQUIRE(body == expected->second);
                REQUIRE(ob::header_of(body).handle_count == handles[expected->second]);
                ob::dereference(body);
            }
        }
        REQUIRE(ob::current_state().kernel_handles->count == open.size());
    }
}

// A tree of directories, objects and links, as a map from full names. Directories here are permanent, so that they stay.
struct Node {
    enum Kind { directory, object, link } kind;
    HANDLE handle;
    std::u16string target;
};
using Tree = std::map<std::u16string, Node>;

std::u16string random_path(std::mt19937& random) {
    std::u16string path;
    const unsigned depth = 1 + random() % 3;
    for (unsigned i = 0; i < depth; ++i) path += std::u16string(u"\\") + char16_t(u'a' + random() % 4);
    return path;
}

struct Expected {
    NTSTATUS status;
    std::u16string at; // the full name of what is found, or of the free place
};

// Follows a path component by component in the map. `create`: the last component may be free, and links are followed even there.
Expected follow(const Tree& tree, std::u16string path, bool create) {
    int links = 0;
    for (;;) {
        std::u16string done;
        bool again = false;
        while (!again) {
            const std::size_t end = std::min(path.find(u'\\', done.size() + 1), path.size());
            const std::u16string here = path.substr(0, end);
            const bool last = end == path.size();
            const auto found = tree.find(here);
            if (found == tree.end()) {
                if (!last) return {STATUS_OBJECT_PATH_NOT_FOUND, {}};
                return {create ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND, here};
            }
            if (found->second.kind == Node::link) {
                if (++links == 32) return {STATUS_OBJECT_NAME_NOT_FOUND, {}};
                path = found->second.target + path.substr(end);
                again = true;
            } else if (last) {
                return {create ? STATUS_OBJECT_NAME_COLLISION : STATUS_SUCCESS, here};
            } else if (found->second.kind == Node::object) {
                return {STATUS_OBJECT_TYPE_MISMATCH, {}};
            } else {
                done = here;
            }
        }
    }
}

NTSTATUS create_node(Node::Kind kind, std::u16string_view path, const std::u16string& target, HANDLE* handle) {
    if (kind == Node::directory)
        return ZwCreateDirectoryObject(handle, DIRECTORY_ALL_ACCESS, Attributes(path, OBJ_PERMANENT).get());
    if (kind == Node::link) {
        UNICODE_STRING text_of_target = unicode(target);
        return ZwCreateSymbolicLinkObject(handle, SYMBOLIC_LINK_ALL_ACCESS, Attributes(path).get(), &text_of_target);
    }
    return ob::insert_object(make_object(test_type, Attributes(path).get()), test_read, handle);
}

// Where a new node of this kind would go. A link is found, not followed, where a link is what is made.
Expected expected_place(const Tree& tree, const std::u16string& path, Node::Kind kind) {
    if (kind == Node::link) {
        const Expected through = follow(tree, path, false);
        // The last component, reached through directories and links, may itself be a link.
        const std::size_t cut = path.rfind(u'\\');
        if (cut == 0) {
            if (tree.contains(path)) return {STATUS_OBJECT_NAME_COLLISION, {}};
        } else {
            const Expected parent = follow(tree, path.substr(0, cut), false);
            if (parent.status == STATUS_SUCCESS && tree.contains(parent.at + path.substr(cut)))
                return {STATUS_OBJECT_NAME_COLLISION, {}};
        }
        (void)through;
    }
    return follow(tree, path, true);
}

void check_names(std::mt19937& random) {
    Tree tree;
    for (int step = 0; step < steps; ++step) {
        const std::u16string path = random_path(random);
        const unsigned action = random() % 100;
        if (action < 35) {
            const auto kind = static_cast<Node::Kind>(random() % 8 < 3 ? 0 : 1 + random() % 2);
            const std::u16string target = random_path(random);
            const Expected expected = expected_place(tree, path, kind);
            HANDLE handle = nullptr;
            REQUIRE(create_node(kind, path, target, &handle) == expected.status);
            if (NT_SUCCESS(expected.status)) tree[expected.at] = {kind, handle, target};
        } else if (action < 60 && !tree.empty()) {
            const auto node = std::next(tree.begin(), random() % tree.size());
            if (node->second.kind == Node::directory) continue;
            REQUIRE(ZwClose(node->second.handle) == STATUS_SUCCESS);
            tree.erase(node);
        } else {
            const Expected expected = follow(tree, path, false);
            void* body = nullptr;
            REQUIRE(ob::reference_by_name(unicode(path), 0, 0, nullptr, KernelMode, nullptr, &body) == expected.status);
            if (body == nullptr) continue;
            alignas(8) char buffer[256];
            ULONG needed;
            REQUIRE(ObQueryNameString(body, reinterpret_cast<POBJECT_NAME_INFORMATION>(buffer), sizeof buffer,
                                      &needed) == STATUS_SUCCESS);
            REQUIRE(view(reinterpret_cast<POBJECT_NAME_INFORMATION>(buffer)->Name) == expected.at);
            ob::dereference(body);
        }
    }
}

} // namespace

TEST_CASE_METHOD(PropertyFixture, "random handle operations agree with the model") {
    const unsigned seed = GENERATE(1u, 2u, 3u);
    const auto stop = run([&] {
        std::mt19937 random(seed);
        check_handles(random);
    });
    CHECK(stop.kind == ke::StopKind::none);
}

TEST_CASE_METHOD(PropertyFixture, "random names agree with the model") {
    const unsigned seed = GENERATE(1u, 2u, 3u);
    const auto stop = run([&] {
        std::mt19937 random(seed);
        check_names(random);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
