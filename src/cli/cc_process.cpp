#include "cli/cc_process.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <map>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dirql::cli {

namespace {

// Those that the caller has not chosen to ignore, as nohup and shells' background jobs do.
sigset_t interrupting_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction action;
        if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&signals, signal);
    }
    return signals;
}

bool starts_with_any(std::string_view text, std::initializer_list<std::string_view> prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(),
                       [&](std::string_view prefix) { return text.starts_with(prefix); });
}

// The caller's environment, without the variables that put host headers on a compiler's search path, and with temporary
// files of the child's own where they are cleaned up.
Words child_environment(const std::string& scratch) {
    Words kept{"TMPDIR=" + scratch};
    for (char** entry = environ; *entry != nullptr; ++entry)
        if (!starts_with_any(*entry, {"CPATH=", "C_INCLUDE_PATH=", "CPLUS_INCLUDE_PATH=", "TMPDIR="}))
            kept.emplace_back(*entry);
    return kept;
}

std::vector<char*> pointers(Words& words) {
    std::vector<char*> result;
    for (auto& word : words) result.push_back(word.data());
    result.push_back(nullptr);
    return result;
}

// A child in a process group of its own, so that a compiler's own children stop with it.
class Child {
public:
    static Outcome<Child> start(const Words& command, const std::string& scratch, std::string output_file);

    pid_t pid() const { return pid_; }
    void stop() const {
        ::kill(-pid_, SIGKILL); // its temporary files are in the scratch directory
        ::waitpid(pid_, nullptr, 0);
    }
    Finished finish(int wait_status) const {
        std::ifstream file(output_file_, std::ios::binary);
        return {WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status),
                {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()}};
    }

private:
    Child(pid_t pid, std::string output_file) : pid_(pid), output_file_(std::move(output_file)) {}

    pid_t pid_;
    std::string output_file_;
};

struct SpawnSettings {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;

    explicit SpawnSettings(const std::string& output_file) {
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output_file.c_str(),
                                         O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
        posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);

        sigset_t none;
        sigemptyset(&none);
        sigset_t all_default = interrupting_signals();
        sigaddset(&all_default, SIGPIPE);
        sigaddset(&all_default, SIGCHLD);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setpgroup(&attributes, 0);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all_default);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;
    ~SpawnSettings() {
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&files);
    }
};

Outcome<Child> Child::start(const Words& command, const std::string& scratch, std::string output_file) {
    Words words = command;
    Words environment = child_environment(scratch);
    const SpawnSettings settings(output_file);
    pid_t pid = 0;
    const int error = ::posix_spawnp(&pid, words[0].c_str(), &settings.files, &settings.attributes,
                                     pointers(words).data(), pointers(environment).data());
    if (error != 0) return usage_error(fmt::format("{} cannot be run: {}", command.front(), std::strerror(error)));
    return Child(pid, std::move(output_file));
}

// The children at work, and the results that wait for an earlier command's.
class Pool {
public:
    Pool(std::span<const Words> commands, const std::string& scratch,
         const std::function<void(std::size_t, const Finished&)>& finished)
        : commands_(commands), scratch_(scratch), report_(finished) {}
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;
    ~Pool() {
        for (const auto& [index, child] : running_) child.stop();
    }

    Outcome<void> run(unsigned parallel) {
        while (next_ < commands_.size() || !running_.empty()) {
            while (next_ < commands_.size() && running_.size() < std::max(parallel, 1u)) {
                BOOST_OUTCOME_TRYV(start());
            }
            reap();
            if (interrupted()) return Failure{128 + SIGINT, "interrupted"};
        }
        return BOOST_OUTCOME_V2_NAMESPACE::success();
    }

private:
    Outcome<void> start() {
        auto child =
            BOOST_OUTCOME_TRYX(Child::start(commands_[next_], scratch_, fmt::format("{}/output.{}", scratch_, next_)));
        running_.emplace(next_++, std::move(child));
        return BOOST_OUTCOME_V2_NAMESPACE::success();
    }

    // Sleeps until a child ends or an interrupt comes. All are blocked signals, so none slips by before the wait; an
    // interrupt is left pending.
    void reap() {
        if (collect()) return;
        sigset_t awaited = interrupting_signals();
        sigaddset(&awaited, SIGCHLD);
        const int signal = ::sigwaitinfo(&awaited, nullptr);
        if (signal > 0 && signal != SIGCHLD) ::raise(signal);
        collect();
    }

    // Takes in the children that have ended, and reports those whose turn it is.
    bool collect() {
        bool any = false;
        for (auto entry = running_.begin(); entry != running_.end();) {
            int status = 0;
            if (::waitpid(entry->second.pid(), &status, WNOHANG) != entry->second.pid()) {
                ++entry;
                continue;
            }
            done_.emplace(entry->first, entry->second.finish(status));
            entry = running_.erase(entry);
            any = true;
        }
        for (auto first = done_.begin(); first != done_.end() && first->first == reported_; first = done_.erase(first))
            report_(reported_++, first->second);
        return any;
    }

    std::span<const Words> commands_;
    const std::string& scratch_;
    const std::function<void(std::size_t, const Finished&)>& report_;
    std::size_t next_ = 0;
    std::size_t reported_ = 0;
    std::map<std::size_t, Child> running_;
    std::map<std::size_t, Finished> done_;
};

} // namespace

InterruptGuard::InterruptGuard() {
    sigset_t blocked = interrupting_signals();
    sigaddset(&blocked, SIGCHLD);
    ::signal(SIGCHLD, SIG_DFL); // a parent's SIG_IGN would be inherited, and children then cannot be waited for
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before_);
}

InterruptGuard::~InterruptGuard() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

bool interrupted() {
    sigset_t pending;
    ::sigpending(&pending);
    const sigset_t awaited = interrupting_signals();
    sigset_t both;
    ::sigandset(&both, &pending, &awaited);
    return ::sigisemptyset(&both) == 0;
}

Outcome<void> run_programs(std::span<const Words> commands, unsigned parallel, const std::string& scratch,
                           const std::function<void(std::size_t, const Finished&)>& finished) {
    return Pool(commands, scratch, finished).run(parallel);
}

Outcome<Finished> run_program(const Words& command, const std::string& scratch) {
    Finished result;
    BOOST_OUTCOME_TRYV(
        run_programs(std::span(&command, 1), 1, scratch, [&](std::size_t, const Finished& f) { result = f; }));
    return result;
}

} // namespace dirql::cli
