// SeAccessCheck: NT's rules one by one, then ten thousand generated cases against a model that decides right by right.
#include "catch.hpp"
#include "ps/process_fixture.hpp"

#include "ex/pool.hpp"
#include "rtl/acl.hpp"
#include "rtl/sddl.hpp"
#include "rtl/sid.hpp"
#include "se/access_check.hpp"
#include "se/descriptor.hpp"
#include "se/token.hpp"

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

using namespace dirql;
using namespace dirql::test;
namespace sids = dirql::rtl::sids;

namespace {

GENERIC_MAPPING mapping{0x20001, 0x20002, 0x20004, 0x1F000F};

struct Descriptor {
    alignas(8) std::byte bytes[2048];
    explicit Descriptor(std::u16string_view text) {
        const auto made = rtl::parse_sddl(text, rtl::Sddl::full, bytes, sizeof bytes);
        if (!NT_SUCCESS(made.status)) throw std::runtime_error("SDDL");
    }
    PSECURITY_DESCRIPTOR get() { return bytes; }
};

struct Answer {
    bool allowed;
    ACCESS_MASK granted;
    NTSTATUS status;
    ULONG privileges;
};

// What a subject with this token gets.
Answer ask(PSECURITY_DESCRIPTOR descriptor, se::Token* token, ACCESS_MASK desired, ACCESS_MASK previously = 0,
           KPROCESSOR_MODE mode = UserMode) {
    SECURITY_SUBJECT_CONTEXT subject{};
    subject.PrimaryToken = token;
    Answer answer{};
    PPRIVILEGE_SET used = nullptr;
    answer.allowed = SeAccessCheck(descriptor, &subject, FALSE, desired, previously, &used, &mapping, mode,
                                   &answer.granted, &answer.status) != FALSE;
    if (used != nullptr) {
        answer.privileges = used->PrivilegeCount;
        const std::size_t blocks = ex::pool_totals().blocks;
        SeFreePrivileges(used);
        CHECK(ex::pool_totals().blocks == blocks - 1);
    }
    return answer;
}

struct AccessFixture : ProcessFixture {
    // A token of this account for the length of the body.
    void with(se::Account account, const std::function<void(se::Token&)>& body) {
        const auto stop = run([&] {
            se::Token* token = nullptr;
            REQUIRE(se::make_account_token(account, &token) == STATUS_SUCCESS);
            body(*token);
            ob::dereference(token);
        });
        CHECK(stop.kind == ke::StopKind::none);
    }
};

void check_granted(const Answer& answer, ACCESS_MASK granted) {
    CHECK(answer.allowed);
    CHECK(answer.status == STATUS_SUCCESS);
    CHECK(answer.granted == granted);
}
void check_denied(const Answer& answer, NTSTATUS status = STATUS_ACCESS_DENIED) {
    CHECK_FALSE(answer.allowed);
    CHECK(answer.status == status);
    CHECK(answer.granted == 0);
}

} // namespace

TEST_CASE_METHOD(AccessFixture, "lists: the first entry that names a right decides it") {
    with(se::Account::user, [](se::Token& user) {
        Descriptor none(u"O:SYG:SY");
        Descriptor null(u"O:SYG:SYD:NO_ACCESS_CONTROL");
        Descriptor empty(u"O:SYG:SYD:");
        check_granted(ask(none.get(), &user, 0x3), 0x3);
        check_granted(ask(null.get(), &user, 0x3), 0x3);
        check_granted(ask(null.get(), &user, MAXIMUM_ALLOWED), mapping.GenericAll);
        check_denied(ask(empty.get(), &user, 0x1));
        check_denied(ask(empty.get(), &user, MAXIMUM_ALLOWED));
        check_granted(ask(empty.get(), &user, 0x1, 0, KernelMode), 0x1);
        check_granted(ask(empty.get(), &user, MAXIMUM_ALLOWED | 0x100, 0x200, KernelMode), mapping.GenericAll | 0x300);
        check_denied(ask(nullptr, &user, 0x1));
        check_denied(ask(null.get(), &user, 0));
        check_granted(ask(empty.get(), &user, 0, 0x8), 0x8);
        check_granted(ask(empty.get(), &user, 0x8, 0x8), 0x8); // had before

        Descriptor deny_first(u"O:SYG:SYD:(D;;0x2;;;BU)(A;;0x7;;;WD)");
        check_denied(ask(deny_first.get(), &user, 0x3));
        check_granted(ask(deny_first.get(), &user, 0x5), 0x5);
        check_granted(ask(deny_first.get(), &user, MAXIMUM_ALLOWED), 0x5);
        check_denied(ask(deny_first.get(), &user, MAXIMUM_ALLOWED | 0x2));
        Descriptor allow_first(u"O:SYG:SYD:(A;;0x7;;;WD)(D;;0x2;;;BU)");
        check_granted(ask(allow_first.get(), &user, 0x3), 0x3);
        check_granted(ask(allow_first.get(), &user, MAXIMUM_ALLOWED), 0x7);
        Descriptor others(u"O:SYG:SYD:(A;;0x7;;;BA)(A;;0x7;;;SY)(A;IO;0x7;;;WD)");
        check_denied(ask(others.get(), &user, 0x1));
        // Entries with a GUID are about a part of the object, without one about the whole.
        Descriptor objects(u"O:SYG:SYD:(OA;;0x1;bf967aba-0de6-11d0-a285-00aa003049e2;;WD)(OA;;0x2;;;WD)");
        check_denied(ask(objects.get(), &user, 0x1));
        check_granted(ask(objects.get(), &user, 0x2), 0x2);
    });
}

TEST_CASE_METHOD(AccessFixture, "owners, privileges and levels of integrity") {
    with(se::Account::user, [](se::Token& user) {
        Descriptor own(u"O:S-1-5-21-1004336348-1177238915-682003330-1002G:SYD:");
        check_granted(ask(own.get(), &user, READ_CONTROL | WRITE_DAC), READ_CONTROL | WRITE_DAC);
        check_granted(ask(own.get(), &user, MAXIMUM_ALLOWED), READ_CONTROL | WRITE_DAC);
        check_denied(ask(own.get(), &user, WRITE_DAC | 0x1));
        Descriptor rights(u"O:S-1-5-21-1004336348-1177238915-682003330-1002G:SYD:(A;;RC;;;OW)");
        check_granted(ask(rights.get(), &user, READ_CONTROL), READ_CONTROL);
        check_denied(ask(rights.get(), &user, WRITE_DAC));
        check_denied(ask(own.get(), &user, ACCESS_SYSTEM_SECURITY), STATUS_PRIVILEGE_NOT_HELD);
        check_denied(ask(own.get(), &user, WRITE_OWNER));

        Descriptor high(u"O:SYG:SYD:(A;;0x1f000f;;;WD)S:(ML;;NW;;;HI)");
        check_granted(ask(high.get(), &user, 0x1), 0x1);
        check_denied(ask(high.get(), &user, 0x2));
        check_denied(ask(high.get(), &user, DELETE));
        check_granted(ask(high.get(), &user, MAXIMUM_ALLOWED), 0x20005 | SYNCHRONIZE);
        Descriptor secret(u"O:SYG:SYD:NO_ACCESS_CONTROLS:(ML;;NRNWNX;;;HI)");
        check_denied(ask(secret.get(), &user, 0x1));
        Descriptor same(u"O:SYG:SYD:(A;;0x2;;;WD)S:(ML;;NRNWNX;;;ME)");
        check_granted(ask(same.get(), &user, 0x2), 0x2);
    });
    with(se::Account::administrator, [](se::Token& admin) {
        Descriptor empty(u"O:SYG:SYD:");
        check_denied(ask(empty.get(), &admin, ACCESS_SYSTEM_SECURITY), STATUS_PRIVILEGE_NOT_HELD);
        admin.enabled |= se::privilege(SE_SECURITY_PRIVILEGE) | se::privilege(SE_TAKE_OWNERSHIP_PRIVILEGE);
        const Answer both = ask(empty.get(), &admin, ACCESS_SYSTEM_SECURITY | WRITE_OWNER);
        check_granted(both, ACCESS_SYSTEM_SECURITY | WRITE_OWNER);
        CHECK(both.privileges == 2);
        check_denied(ask(empty.get(), &admin, MAXIMUM_ALLOWED)); // not asked for by name
        Descriptor owned(u"O:BAG:SYD:");
        check_granted(ask(owned.get(), &admin, WRITE_DAC), WRITE_DAC);
    });
}

TEST_CASE_METHOD(AccessFixture, "a client counts from the level of impersonation on") {
    with(se::Account::user, [](se::Token& user) {
        Descriptor users_only(u"O:SYG:SYD:(A;;0x1;;;BU)");
        SECURITY_SUBJECT_CONTEXT subject{};
        SeCaptureSubjectContext(&subject); // the system's
        SeLockSubjectContext(&subject);
        ACCESS_MASK granted = 1;
        NTSTATUS status = 0;
        CHECK_FALSE(
            SeAccessCheck(users_only.get(), &subject, TRUE, 0x1, 0, nullptr, &mapping, UserMode, &granted, &status));
        CHECK(status == STATUS_ACCESS_DENIED);
        SeUnlockSubjectContext(&subject);
        ob::reference(&user);
        subject.ClientToken = &user;
        subject.ImpersonationLevel = SecurityIdentification;
        CHECK_FALSE(
            SeAccessCheck(users_only.get(), &subject, FALSE, 0x1, 0, nullptr, &mapping, UserMode, &granted, &status));
        CHECK(status == STATUS_BAD_IMPERSONATION_LEVEL);
        subject.ImpersonationLevel = SecurityImpersonation;
        CHECK(SeAccessCheck(users_only.get(), &subject, FALSE, 0x1, 0, nullptr, &mapping, UserMode, &granted, &status));
        CHECK(granted == 0x1);
        CHECK(SeQuerySubjectContextToken(&subject) == &user);
        const auto references = ob::header_of(&user).pointer_count;
        SeLockSubjectContext(&subject); // its tokens stay until it is unlocked
        CHECK(ob::header_of(&user).pointer_count == references + 1);
        SeUnlockSubjectContext(&subject);
        CHECK(ob::header_of(&user).pointer_count == references);
        SeReleaseSubjectContext(&subject);
        CHECK(subject.PrimaryToken == nullptr);
    });
}

namespace {

// A small world: eight accounts, so that entries and tokens meet.
struct World {
    rtl::SidBuffer sid[8];
    World() {
        for (unsigned i = 0; i < 8; ++i) {
            rtl::initialize_sid(sid[i].get(), {{0, 0, 0, 0, 0, 77}}, 1);
            const ULONG number = i;
            std::memcpy(sid[i].bytes + 8, &number, 4);
        }
    }
};

struct Entry {
    bool allow;
    bool inherit_only;
    unsigned who; // 8: the owner
    ACCESS_MASK mask;
};

struct Case {
    std::vector<Entry> entries;
    bool null_list;
    unsigned owner;
    ULONG object_level; // 0: no label
    ULONG token_level;
    unsigned user;
    std::vector<std::pair<unsigned, ULONG>> groups; // who, attributes
    std::vector<unsigned> restricted;
    bool may_audit, may_take;
    ACCESS_MASK desired, previously;
};

constexpr ACCESS_MASK rights[] = {0x1, 0x2, 0x4, 0x8, READ_CONTROL, WRITE_DAC, WRITE_OWNER, DELETE};

ACCESS_MASK some_rights(std::mt19937_64& random) {
    ACCESS_MASK mask = 0;
    for (const ACCESS_MASK right : rights) {
        if (random() % 3 == 0) mask |= right;
    }
    return mask;
}

Case generate(std::mt19937_64& random) {
    static const ULONG levels[] = {0x1000, 0x2000, 0x3000};
    static const ULONG attributes[] = {SE_GROUP_ENABLED, SE_GROUP_ENABLED, 0, SE_GROUP_USE_FOR_DENY_ONLY};
    Case made{};
    for (std::size_t i = random() % 7; i != 0; --i) {
        made.entries.push_back(
            {random() % 3 != 0, random() % 10 == 0, static_cast<unsigned>(random() % 9), some_rights(random)});
    }
    made.null_list = random() % 20 == 0;
    made.owner = random() % 8;
    made.object_level = random() % 2 == 0 ? 0 : levels[random() % 3];
    made.token_level = levels[random() % 3];
    made.user = random() % 8;
    for (unsigned who = 0; who < 8; ++who) {
        if (who != made.user && random() % 2 == 0) made.groups.emplace_back(who, attributes[random() % 4]);
    }
    if (random() % 4 == 0) {
        for (unsigned who = 0; who < 8; ++who) {
            if (random() % 2 == 0) made.restricted.push_back(who);
        }
    }
    made.may_audit = random() % 2 == 0;
    made.may_take = random() % 2 == 0;
    made.desired = some_rights(random) | (random() % 3 == 0 ? MAXIMUM_ALLOWED : 0) |
                   (random() % 8 == 0 ? ACCESS_SYSTEM_SECURITY : 0);
    made.previously = random() % 4 == 0 ? some_rights(random) : 0;
    return made;
}

// Right by right, in the words of the documents.
class Model {
public:
    explicit Model(const Case& in) : in_(in) {}

    [[nodiscard]] bool is_me(unsigned who, bool deny) const {
        if (who == in_.user) return true;
        for (const auto& [group, attributes] : in_.groups) {
            if (group != who) continue;
            if ((attributes & SE_GROUP_USE_FOR_DENY_ONLY) != 0) return deny;
            return (attributes & SE_GROUP_ENABLED) != 0;
        }
        return false;
    }
    [[nodiscard]] bool in_restricted(unsigned who) const {
        return std::find(in_.restricted.begin(), in_.restricted.end(), who) != in_.restricted.end();
    }
    [[nodiscard]] bool am_owner() const {
        return is_me(in_.owner, false) && (in_.restricted.empty() || in_restricted(in_.owner));
    }
    [[nodiscard]] bool forbidden(ACCESS_MASK right) const {
        const ULONG level = in_.object_level == 0 ? 0x2000 : in_.object_level;
        if (in_.token_level >= level) return false;
        return ((mapping.GenericRead | mapping.GenericExecute | SYNCHRONIZE) & right) == 0;
    }
    [[nodiscard]] bool list_allows(ACCESS_MASK right, bool second) const {
        for (const Entry& entry : in_.entries) {
            if (entry.inherit_only || (entry.mask & right) == 0) continue;
            const bool me = entry.who == 8 ? am_owner()
                            : second       ? in_restricted(entry.who)
                                           : is_me(entry.who, !entry.allow);
            if (me || (entry.who == 8 && am_owner())) return entry.allow;
        }
        return false;
    }
    [[nodiscard]] bool has(ACCESS_MASK right, bool asked_by_name) const {
        if ((in_.previously & right) != 0) return true;
        if (right == WRITE_OWNER && asked_by_name && in_.may_take) return true;
        if (forbidden(right)) return false;
        if (in_.null_list) return true;
        const bool spoken_for = std::any_of(in_.entries.begin(), in_.entries.end(),
                                            [](const Entry& entry) { return !entry.inherit_only && entry.who == 8; });
        if ((right == READ_CONTROL || right == WRITE_DAC) && am_owner() && !spoken_for) return true;
        return list_allows(right, false) && (in_.restricted.empty() || list_allows(right, true));
    }
    [[nodiscard]] Answer answer() const {
        if (in_.desired == 0)
            return {in_.previously != 0, in_.previously, in_.previously != 0 ? STATUS_SUCCESS : STATUS_ACCESS_DENIED,
                    0};
        if ((in_.desired & ACCESS_SYSTEM_SECURITY) != 0 && !in_.may_audit)
            return {false, 0, STATUS_PRIVILEGE_NOT_HELD, 0};
        const bool maximum = (in_.desired & MAXIMUM_ALLOWED) != 0;
        ACCESS_MASK granted = in_.previously | (in_.desired & ACCESS_SYSTEM_SECURITY);
        for (const ACCESS_MASK right : rights) {
            const bool asked = (in_.desired & right) != 0;
            if (!asked && !maximum) continue;
            if (has(right, asked)) {
                granted |= right;
            } else if (asked) {
                return {false, 0, STATUS_ACCESS_DENIED, 0};
            }
        }
        if (maximum && in_.null_list) granted |= mapping.GenericAll & (may_write() ? ~0u : below());
        if (granted == 0) return {false, 0, STATUS_ACCESS_DENIED, 0};
        return {true, granted, STATUS_SUCCESS, 0};
    }

private:
    [[nodiscard]] bool may_write() const { return !forbidden(0x2); }
    static ACCESS_MASK below() { return mapping.GenericRead | mapping.GenericExecute | SYNCHRONIZE; }
    const Case& in_;
};

} // namespace

TEST_CASE_METHOD(AccessFixture, "SeAccessCheck agrees with a model") {
    const auto stop = run([&] {
        std::mt19937_64 random(3);
        World world;
        unsigned allowed = 0;
        for (int step = 0; step < 12'000; ++step) {
            const Case in = generate(random);
            // The descriptor.
            alignas(8) std::byte dacl[1024];
            auto* acl = reinterpret_cast<PACL>(dacl);
            REQUIRE(RtlCreateAcl(acl, sizeof dacl, ACL_REVISION) == STATUS_SUCCESS);
            for (const Entry& entry : in.entries) {
                PSID who = entry.who == 8 ? sids::owner_rights.get() : world.sid[entry.who].get();
                const ULONG flags = entry.inherit_only ? INHERIT_ONLY_ACE | OBJECT_INHERIT_ACE : 0;
                (void)(entry.allow ? RtlAddAccessAllowedAceEx(acl, ACL_REVISION, flags, entry.mask, who)
                                   : RtlAddAccessDeniedAceEx(acl, ACL_REVISION, flags, entry.mask, who));
            }
            alignas(8) std::byte sacl[64];
            auto* labels = reinterpret_cast<PACL>(sacl);
            REQUIRE(RtlCreateAcl(labels, sizeof sacl, ACL_REVISION) == STATUS_SUCCESS);
            const auto label_of = [](ULONG level) {
                return level == 0x1000   ? sids::low_label.get()
                       : level == 0x2000 ? sids::medium_label.get()
                                         : sids::high_label.get();
            };
            if (in.object_level != 0) {
                (void)rtl::add_simple_ace(labels, ACL_REVISION, SYSTEM_MANDATORY_LABEL_ACE_TYPE, 0,
                                          SYSTEM_MANDATORY_LABEL_NO_WRITE_UP, label_of(in.object_level));
            }
            SECURITY_DESCRIPTOR descriptor{};
            RtlCreateSecurityDescriptor(&descriptor, SECURITY_DESCRIPTOR_REVISION);
            RtlSetDaclSecurityDescriptor(&descriptor, TRUE, in.null_list ? nullptr : acl, FALSE);
            RtlSetSaclSecurityDescriptor(&descriptor, TRUE, labels, FALSE);
            RtlSetOwnerSecurityDescriptor(&descriptor, world.sid[in.owner].get(), FALSE);
            // The token.
            std::vector<SID_AND_ATTRIBUTES> own{{world.sid[in.user].get(), 0}};
            for (const auto& [who, attributes] : in.groups) own.push_back({world.sid[who].get(), attributes});
            own.push_back({label_of(in.token_level), SE_GROUP_INTEGRITY});
            std::vector<SID_AND_ATTRIBUTES> second;
            for (const unsigned who : in.restricted) second.push_back({world.sid[who].get(), SE_GROUP_ENABLED});
            se::TokenParts parts;
            parts.policy = 1;
            parts.sids = own;
            parts.restricted = second;
            parts.present = ~se::Privileges{0};
            parts.enabled = (in.may_audit ? se::privilege(SE_SECURITY_PRIVILEGE) : 0) |
                            (in.may_take ? se::privilege(SE_TAKE_OWNERSHIP_PRIVILEGE) : 0);
            se::Token* token = nullptr;
            REQUIRE(se::make_token(parts, nullptr, KernelMode, &token) == STATUS_SUCCESS);
            const Answer got = ask(&descriptor, token, in.desired, in.previously);
            const Answer expected = Model(in).answer();
            ob::dereference(token);
            allowed += got.allowed;
            if (got.allowed != expected.allowed || got.granted != expected.granted || got.status != expected.status) {
                CAPTURE(step, in.desired, in.previously, got.status, expected.status);
                REQUIRE(got.granted == expected.granted);
                REQUIRE(got.status == expected.status);
            }
        }
        CHECK(allowed > 1000);
        CHECK(allowed < 10'000);
    });
    CHECK(stop.kind == ke::StopKind::none);
}
