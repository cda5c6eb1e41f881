// Splay links, by hand and against std::map.
#include "support/random.hpp"
#include "tables.hpp"

#include <map>
#include <vector>

using dirql::test::property_steps;
using dirql::test::Random;
using dirql::test::tables::check_links;

namespace {

struct Node {
    LONG key;
    RTL_SPLAY_LINKS links;
};

Node* node_of(PRTL_SPLAY_LINKS links) { return CONTAINING_RECORD(links, Node, links); }

// An unbalanced insertion, as drivers write it with the macros.
void insert(PRTL_SPLAY_LINKS& root, Node& node) {
    RtlInitializeSplayLinks(&node.links);
    if (root == nullptr) {
        root = &node.links;
        return;
    }
    for (PRTL_SPLAY_LINKS at = root;;) {
        const bool left = node.key < node_of(at)->key;
        const PRTL_SPLAY_LINKS next = left ? RtlLeftChild(at) : RtlRightChild(at);
        if (next != nullptr) {
            at = next;
            continue;
        }
        if (left) {
            RtlInsertAsLeftChild(at, &node.links);
        } else {
            RtlInsertAsRightChild(at, &node.links);
        }
        return;
    }
}

} // namespace

TEST_CASE("splay links: a zig-zig turns the upper pair first", "[splay]") {
    Node nodes[3] = {{0, {}}, {1, {}}, {2, {}}};
    PRTL_SPLAY_LINKS root = nullptr;
    for (int i : {2, 1, 0}) insert(root, nodes[i]); // a line to the left
    root = RtlSplay(&nodes[0].links);
    CHECK(RtlIsRoot(&nodes[0].links));
    CHECK(RtlRightChild(root) == &nodes[1].links);
    CHECK(RtlRightChild(&nodes[1].links) == &nodes[2].links);
    CHECK(RtlIsRightChild(&nodes[2].links));
    CHECK_FALSE(RtlIsLeftChild(&nodes[2].links));
    CHECK(RtlParent(&nodes[2].links) == &nodes[1].links);
    root = RtlSplay(&nodes[1].links);
    CHECK(RtlIsLeftChild(&nodes[0].links));
    CHECK(RtlSubtreeSuccessor(root) == &nodes[2].links);
    CHECK(RtlSubtreePredecessor(root) == &nodes[0].links);
    CHECK(RtlSubtreePredecessor(&nodes[0].links) == nullptr);
    CHECK(RtlSubtreeSuccessor(&nodes[0].links) == nullptr);
    CHECK(RtlRealSuccessor(&nodes[0].links) == root);
    CHECK(RtlRealPredecessor(&nodes[0].links) == nullptr);
    CHECK(RtlRealSuccessor(&nodes[2].links) == nullptr);
    root = RtlDelete(root); // the predecessor takes its place
    CHECK(root == &nodes[0].links);
    CHECK(RtlDelete(RtlRightChild(root)) == root);
    CHECK(RtlDelete(root) == nullptr);
}

TEST_CASE("splay links keep the order of a map under splays and deletions", "[splay]") {
    Random random(3);
    std::vector<Node> nodes(200);
    for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i].key = static_cast<LONG>(i);
    std::map<LONG, PRTL_SPLAY_LINKS> model;
    PRTL_SPLAY_LINKS root = nullptr;
    for (int step = 0; step < property_steps; ++step) {
        Node& node = nodes[random.below(nodes.size())];
        const auto place = model.find(node.key);
        if (place == model.end()) {
            insert(root, node);
            model[node.key] = &node.links;
        } else if (random.chance(3)) {
            root = RtlSplay(&node.links);
            REQUIRE(root == &node.links);
        } else {
            if (random.chance(2))
                root = RtlDelete(&node.links);
            else
                RtlDeleteNoSplay(&node.links, &root);
            model.erase(place);
        }
        REQUIRE((root == nullptr) == model.empty());
        if (root == nullptr) continue;
        REQUIRE(root->Parent == root);
        if (step % 16 == 0) check_links(root);
        auto here = model.lower_bound(static_cast<LONG>(random.below(nodes.size())));
        if (here == model.end()) here = model.begin();
        const auto next = std::next(here);
        REQUIRE(RtlRealSuccessor(here->second) == (next == model.end() ? nullptr : next->second));
        REQUIRE(RtlRealPredecessor(here->second) == (here == model.begin() ? nullptr : std::prev(here)->second));
    }
}
