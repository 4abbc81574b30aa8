#include "cli/input.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "cli/text.h"
#include "daemon/home/office_home.h"
#include "proto/size_text.h"

namespace fieldpost::cli {

namespace {

namespace fs = std::filesystem;

Failure broken_off(const std::string& why) {
    return {exit_failed, "input", "the text could not be read to its end: " + why,
            "nothing was queued; try again"};
}

Failure too_long(std::size_t bytes_max) {
    return {exit_invalid, "invalid", fmt::format("the text is over {}", exact_size(bytes_max)),
            "send the rest with --attach"};
}

// A terminal that has hung up looks like an end of the text when it is read.
bool has_hung_up() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    return ::poll(&input, 1, 0) > 0 && (input.revents & (POLLHUP | POLLERR)) != 0;
}

// The number of the signal that has to end the program, once it came. 0 before.
volatile std::sig_atomic_t must_end = 0;

// Waits until there is input. Less than 0: the read failed, and errno says why.
ssize_t read_some(std::span<char> buffer) {
    while (true) {
        const auto got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            pollfd input{STDIN_FILENO, POLLIN, 0};
            ::poll(&input, 1, -1);
        } else if (got >= 0 || errno != EINTR || must_end != 0) {
            return got;
        }
    }
}

}  // namespace

Outcome<std::string> read_standard_input(std::size_t bytes_max) {
    std::string text;
    std::array<char, 65536> buffer;
    const bool is_terminal = isatty(STDIN_FILENO) != 0;
    while (true) {
        const auto got = read_some(buffer);
        if (got < 0) {
            return std::unexpected(broken_off(std::strerror(errno)));
        }
        if (got == 0) {
            if (is_terminal && has_hung_up()) {
                return std::unexpected(broken_off("the terminal hung up"));
            }
            return text;
        }
        text.append(buffer.data(), static_cast<std::size_t>(got));
        if (text.size() > bytes_max) {
            return std::unexpected(too_long(bytes_max));
        }
    }
}

namespace {

// Turns off the line editing of the terminal for the life of this object. Signals that end the
// program put it back first.
class RawTerminal {
public:
    RawTerminal() {
        is_terminal_ = ::tcgetattr(STDIN_FILENO, &before) == 0;
        raw = before;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        raw.c_iflag &= ~static_cast<tcflag_t>(IXON);
        raw.c_cc[VMIN] = 1;
        raw.c_cc[VTIME] = 0;
        // A person who presses Ctrl-C wants to keep nothing. A closed window says nothing of the
        // kind.
        set(SIGINT, put_back_and_die);
        set(SIGQUIT, put_back_and_die);
        set(SIGHUP, note_end);
        set(SIGTERM, note_end);
        set(SIGCONT, set_again);
        set_again(0);
    }
    ~RawTerminal() {
        for (const auto& [number, before_us] : replaced_) {
            ::sigaction(number, &before_us, nullptr);
        }
        if (is_terminal_) {
            ::tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
        }
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

private:
    // SA_RESTART is not set, so that a signal ends a read. A signal that was ignored stays ignored.
    void set(int number, void (*handler)(int)) {
        struct sigaction old{};
        ::sigaction(number, nullptr, &old);
        if (old.sa_handler == SIG_IGN) {
            return;
        }
        struct sigaction ours{};
        ours.sa_handler = handler;
        ::sigaction(number, &ours, nullptr);
        replaced_.emplace_back(number, old);
    }
    static void note_end(int number) { must_end = number; }
    static void put_back_and_die(int number) {
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before);
        std::signal(number, SIG_DFL);
        ::raise(number);
    }
    static void set_again(int) { ::tcsetattr(STDIN_FILENO, TCSANOW, &raw); }

    static inline termios before{};
    static inline termios raw{};
    bool is_terminal_ = false;
    std::vector<std::pair<int, struct sigaction>> replaced_;
};

// Edits one line after the other, with the keys that erase.
class Editor {
public:
    // False: the text has ended.
    bool take(char c) {
        const auto byte = static_cast<unsigned char>(c);
        constexpr unsigned char escape = 0x1b;
        constexpr unsigned char erase = 0x7f;
        if (in_escape_) {
            // ESC [ ... letter: an arrow key, or the marks around pasted text.
            const bool is_first = escape_bytes_++ == 0;
            in_escape_ = is_first ? c == '[' || c == 'O' : byte < 0x40;
            if (byte >= 0x20 && byte < 0x7f) {
                return true;
            }
            in_escape_ = false;  // a key without a sequence, followed by this byte
        }
        if (byte == escape) {
            in_escape_ = true;
            escape_bytes_ = 0;
        } else if (c == control('D')) {
            if (!is_at_line_start()) {
                echo("\n");
            }
            return false;
        } else if (byte == erase || c == control('H')) {
            erase_character();
        } else if (c == control('U')) {
            while (!is_at_line_start()) {
                erase_character();
            }
        } else if (c == control('W')) {
            while (!is_at_line_start() && text_.back() == ' ') {
                erase_character();
            }
            while (!is_at_line_start() && text_.back() != ' ') {
                erase_character();
            }
        } else if (c == '\r' || c == '\n') {
            add('\n');
        } else if (byte >= 0x20 || c == '\t') {
            add(c);
        }
        return true;
    }
    void show() {
        std::fwrite(shown_.data(), 1, shown_.size(), stderr);
        std::fflush(stderr);
        shown_.clear();
    }
    std::string& text() { return text_; }

private:
    static constexpr char control(char letter) { return static_cast<char>(letter - '@'); }
    [[nodiscard]] bool is_at_line_start() const { return text_.empty() || text_.back() == '\n'; }
    void echo(std::string_view bytes) { shown_ += bytes; }
    void add(char c) {
        text_ += c;
        shown_ += c;
    }
    void erase_character() {
        if (is_at_line_start()) {
            return;
        }
        auto begin = text_.size() - 1;
        while (begin > 0 && (static_cast<unsigned char>(text_[begin]) & 0xc0U) == 0x80U) {
            --begin;
        }
        for (auto width = cells(std::string_view(text_).substr(begin)); width > 0; --width) {
            echo("\b \b");
        }
        text_.resize(begin);
    }

    std::string text_;
    std::string shown_;
    bool in_escape_ = false;
    int escape_bytes_ = 0;
};

}  // namespace

Typed read_terminal(std::size_t bytes_max) {
    const RawTerminal terminal;
    Editor editor;
    std::array<char, 4096> buffer;
    while (true) {
        const auto got = read_some(buffer);
        if (got <= 0) {
            return {std::move(editor.text()),
                    broken_off(got == 0 || must_end != 0 ? "the terminal hung up"
                                                         : std::strerror(errno))};
        }
        for (const char c : std::span(buffer).first(static_cast<std::size_t>(got))) {
            if (!editor.take(c)) {
                editor.show();
                return {std::move(editor.text()), std::nullopt};
            }
        }
        editor.show();
        if (editor.text().size() > bytes_max) {
            return {std::move(editor.text()), too_long(bytes_max)};
        }
    }
}

namespace {

std::optional<fs::path> drafts_folder() {
    const char* state = std::getenv("XDG_STATE_HOME");
    const char* home = std::getenv("HOME");
    if (state != nullptr && *state == '/') {
        return fs::path(state) / "fieldpost";
    }
    return home != nullptr && *home == '/'
               ? std::optional(fs::path(home) / ".local" / "state" / "fieldpost")
               : std::nullopt;
}

// A name that sorts after all earlier names.
std::optional<fs::path> new_draft() {
    const auto folder = drafts_folder();
    std::error_code error;
    if (!folder || (fs::create_directories(*folder, error), error)) {
        return std::nullopt;
    }
    fs::permissions(*folder, fs::perms::owner_all, error);
    return *folder / fmt::format("draft-{:012}-{}.txt", unix_now(), ::getpid());
}

}  // namespace

std::optional<fs::path> keep_draft(const std::string& text) {
    auto path = new_draft();
    if (!path || !home::write_whole(*path, as_bytes(text), 0600)) {
        return std::nullopt;
    }
    return path;
}

std::optional<fs::path> last_draft() {
    const auto folder = drafts_folder();
    std::optional<fs::path> last;
    std::error_code error;
    if (!folder) {
        return last;
    }
    for (const auto& entry : fs::directory_iterator(*folder, error)) {
        const auto name = entry.path().filename().string();
        if (name.starts_with("draft-") && name.ends_with(".txt") &&
            (!last || last->filename() < entry.path().filename())) {
            last = entry.path();
        }
    }
    return last;
}

Outcome<fs::path> edit_draft() {
    auto path = keep_draft("");
    if (!path) {
        return std::unexpected(Failure{exit_failed, "failed", "no draft can be kept",
                                       "set HOME, or give the text as a file"});
    }
    const char* visual = std::getenv("VISUAL");
    const char* editor = std::getenv("EDITOR");
    const std::string chosen = visual != nullptr && *visual != '\0'   ? visual
                               : editor != nullptr && *editor != '\0' ? editor
                                                                      : "vi";
    // As git does it: the shell splits the options that the editor's name may have.
    const pid_t child = ::fork();
    if (child == 0) {
        const auto line = chosen + " \"$1\"";
        ::execl("/bin/sh", "sh", "-c", line.c_str(), "sh", path->c_str(), nullptr);
        ::_exit(127);
    }
    // Meanwhile the keys that would end this program belong to the editor.
    const auto interrupt = std::signal(SIGINT, SIG_IGN);
    const auto quit = std::signal(SIGQUIT, SIG_IGN);
    int status = 0;
    while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    std::signal(SIGINT, interrupt);
    std::signal(SIGQUIT, quit);
    std::error_code error;
    const bool has_text = fs::file_size(*path, error) > 0 && !error;
    if (!has_text) {
        fs::remove(*path, error);  // an empty draft would hide the draft before it
    }
    if (child < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return std::unexpected(
            Failure{exit_failed, "failed", fmt::format("the editor {} failed", chosen),
                    has_text ? "nothing was queued; the text is kept: fieldpost queue --draft"
                             : "set VISUAL or EDITOR; nothing was queued"});
    }
    if (!has_text) {
        return std::unexpected(
            Failure{exit_invalid, "invalid", "the text is empty", "nothing was queued"});
    }
    return std::move(*path);
}

}  // namespace fieldpost::cli
