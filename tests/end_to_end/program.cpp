#include "tests/end_to_end/program.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <ostream>
#include <thread>

#include "proto/result.h"

namespace fieldpost::end_to_end {

namespace {

using namespace std::chrono_literals;

// Generous: it only ends programs that hang.
constexpr auto longest_run = 120s;
constexpr int exit_not_started = 127;

struct Pipe {
    int to_read = -1;
    int to_write = -1;
};

Pipe make_pipe() {
    std::array<int, 2> ends{};
    ensure(::pipe2(ends.data(), O_CLOEXEC) == 0, "a test can make a pipe");
    return {ends[0], ends[1]};
}

// Bytes pass unchanged, so a test sees exactly what a program shows.
Pipe make_terminal() {
    const int ours = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ensure(ours >= 0 && ::grantpt(ours) == 0 && ::unlockpt(ours) == 0,
           "a test can make a terminal");
    std::array<char, 64> name{};
    ensure(::ptsname_r(ours, name.data(), name.size()) == 0, "a terminal has a name");
    const int theirs = ::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    termios settings{};
    ensure(theirs >= 0 && ::tcgetattr(theirs, &settings) == 0, "a terminal can be opened");
    ::cfmakeraw(&settings);
    ::tcsetattr(theirs, TCSANOW, &settings);
    const winsize size{24, 80, 0, 0};
    ::ioctl(theirs, TIOCSWINSZ, &size);
    return {ours, theirs};
}

int open_log(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ensure(fd >= 0, "a test can write a log");
    return fd;
}

void close_if_open(int& fd) {
    if (fd >= 0) {
        ::close(fd);
        fd = -1;
    }
}

// Adds the bytes that are there now to `text`. Closes `fd` at its end.
void read_some(int& fd, std::string& text) {
    std::array<char, 65536> buffer;
    const auto got = ::read(fd, buffer.data(), buffer.size());
    if (got > 0) {
        text.append(buffer.data(), static_cast<std::size_t>(got));
    } else if (got == 0 || errno != EINTR) {  // a terminal ends with EIO
        close_if_open(fd);
    }
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
    std::vector<char*> pointers;
    for (auto& word : words) {
        pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    return pointers;
}

// The environment of the person who runs the tests, without the variables that change fieldpost's
// behaviour.
std::vector<std::string> environment_with(const std::vector<std::string>& added) {
    std::vector<std::string> all = added;
    for (char** at = environ; *at != nullptr; ++at) {
        if (!std::string_view(*at).starts_with("FIELDPOST_")) {
            all.emplace_back(*at);
        }
    }
    return all;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Ran& ran) {
    return out << "exit " << ran.exit_code << "\nstdout: " << ran.out << "\nstderr: " << ran.err;
}

Program::Program(Command command) : command_(std::move(command)) {
    std::signal(SIGPIPE, SIG_IGN);  // a program need not read its input
    const bool is_logged = !command_.log.empty();
    const auto in = is_logged ? Pipe{::open("/dev/null", O_RDONLY | O_CLOEXEC), -1} : make_pipe();
    const auto out = is_logged                    ? Pipe{-1, open_log(command_.log)}
                     : command_.shows_on_terminal ? make_terminal()
                                                  : make_pipe();
    const auto err = is_logged ? Pipe{-1, ::dup(out.to_write)} : make_pipe();
    auto environment = environment_with(command_.environment);
    const auto variables = pointers_to(environment);
    const auto words = pointers_to(command_.words);
    pid_ = ::fork();
    ensure(pid_ >= 0, "a test can start a program");
    if (pid_ == 0) {
        // Should the tests be killed, nothing of theirs stays behind.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::signal(SIGPIPE, SIG_DFL);
        const bool is_ready = ::dup2(in.to_read, STDIN_FILENO) >= 0 &&
                              ::dup2(out.to_write, STDOUT_FILENO) >= 0 &&
                              ::dup2(err.to_write, STDERR_FILENO) >= 0 &&
                              (command_.folder.empty() || ::chdir(command_.folder.c_str()) == 0);
        if (is_ready) {
            ::execve(words.front(), words.data(), variables.data());
        }
        ::_exit(exit_not_started);
    }
    ::close(in.to_read);
    ::close(out.to_write);
    ::close(err.to_write);
    in_ = in.to_write;
    out_ = out.to_read;
    err_ = err.to_read;
    if (in_ >= 0) {
        ::fcntl(in_, F_SETFL, O_NONBLOCK);
        feed();
    }
}

Program::~Program() {
    if (!ended_) {
        signal(SIGKILL);
        reap(0);
    }
    close_if_open(in_);
    close_if_open(out_);
    close_if_open(err_);
}

// Feeds as much as the program takes now. Closes the input once it has all.
void Program::feed() {
    const auto rest = std::string_view(command_.input).substr(fed_);
    const auto written = ::write(in_, rest.data(), rest.size());
    if (written >= 0) {
        fed_ += static_cast<std::size_t>(written);
    }
    const bool is_hung_up = written < 0 && errno != EAGAIN && errno != EINTR;
    if (is_hung_up || fed_ == command_.input.size()) {
        close_if_open(in_);
    }
}

void Program::reap(int options) {
    int status = 0;
    if (!ended_ && ::waitpid(pid_, &status, options) == pid_) {
        ended_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

bool Program::is_running() {
    reap(WNOHANG);
    return !ended_;
}

void Program::signal(int number) const {
    if (!ended_) {
        ::kill(pid_, number);
    }
}

Ran Program::finish() {
    const auto until = std::chrono::steady_clock::now() + longest_run;
    Ran ran;
    bool is_late = false;
    while (in_ >= 0 || out_ >= 0 || err_ >= 0) {
        std::array<pollfd, 3> watched = {{{in_, POLLOUT, 0}, {out_, POLLIN, 0}, {err_, POLLIN, 0}}};
        ::poll(watched.data(), watched.size(), 1000);
        if (watched[0].revents != 0) {
            feed();
        }
        if (watched[1].revents != 0) {
            read_some(out_, ran.out);
        }
        if (watched[2].revents != 0) {
            read_some(err_, ran.err);
        }
        if (!is_late && std::chrono::steady_clock::now() > until) {
            is_late = true;
            signal(SIGKILL);
        }
    }
    while (is_running()) {
        if (!is_late && std::chrono::steady_clock::now() > until) {
            is_late = true;
            signal(SIGKILL);
        }
        std::this_thread::sleep_for(1ms);
    }
    ran.exit_code = *ended_;
    if (is_late) {
        ran.err += "\n(it did not end and was killed)\n";
    }
    return ran;
}

Ran run(Command command) {
    return Program(std::move(command)).finish();
}

bool eventually(const std::function<bool()>& holds, std::chrono::seconds at_most) {
    const auto until = std::chrono::steady_clock::now() + at_most;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > until) {
            return false;
        }
        std::this_thread::sleep_for(50ms);
    }
    return true;
}

}  // namespace fieldpost::end_to_end
