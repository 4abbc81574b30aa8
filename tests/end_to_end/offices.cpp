#include "tests/end_to_end/offices.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <random>
#include <sstream>

namespace fieldpost::end_to_end {

namespace {

namespace fs = std::filesystem;

bool can_listen_on(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return bound;
}

}  // namespace

std::uint16_t free_port() {
    // Below the ports that the kernel gives to outgoing connections: one of those may be taken
    // while the daemon that listened there is down.
    static std::mt19937 dice{std::random_device{}()};
    std::uniform_int_distribution<std::uint16_t> any(12000, 32000);
    while (true) {
        if (const auto port = any(dice); can_listen_on(port)) {
            return port;
        }
    }
}

Office::Office(const fs::path& folder, std::string name)
    : name_(std::move(name)),
      home_(folder / name_),
      log_(folder / (name_ + ".log")),
      endpoint_(fmt::format("tcp://127.0.0.1:{}", free_port())) {}

std::string Office::log() const {
    return fs::exists(log_) ? read_file(log_) : "";
}

void Office::start() {
    auto words = around_;
    words.insert(words.end(), {FIELDPOSTD_BIN, "--home", home_.string()});
    if (!is_findable_) {
        words.emplace_back("--no-beacon");
    }
    daemon_ = std::make_unique<Program>(Command{.words = std::move(words), .log = log_});
    const bool answers =
        eventually([&] { return !daemon_->is_running() || run({"status"}).exit_code == 0; });
    INFO("the log of " << name_ << ":\n" << log());
    REQUIRE(answers);
    REQUIRE(daemon_->is_running());
}

void Office::stop() {
    daemon_->signal(SIGTERM);
    const auto ran = daemon_->finish();
    daemon_.reset();
    INFO("the log of " << name_ << ":\n" << log());
    REQUIRE(ran.exit_code == 0);
}

void Office::kill() {
    daemon_->signal(SIGKILL);
    const auto ran = daemon_->finish();
    daemon_.reset();
    INFO("the log of " << name_ << ":\n" << log());
    REQUIRE(ran.exit_code == 128 + SIGKILL);  // and not because it had ended by itself
}

Command Office::command(Words words, std::string input) const {
    words.insert(words.begin(), {FIELDPOST_BIN, "--home", home_.string()});
    return {.words = std::move(words), .input = std::move(input)};
}

Ran Office::run(Words words, std::string input) const {
    return end_to_end::run(command(std::move(words), std::move(input)));
}

Ran Office::show(Words words) const {
    auto command_line = command(std::move(words));
    command_line.shows_on_terminal = true;
    return end_to_end::run(std::move(command_line));
}

Json Office::ask(Words words, std::string input) const {
    words.emplace_back("--json");
    CAPTURE(name_, words);
    const auto ran = run(std::move(words), std::move(input));
    CAPTURE(ran, log());
    REQUIRE(ran.exit_code == 0);
    auto document = Json::parse(ran.out, nullptr, false);
    REQUIRE_FALSE(document.is_discarded());
    return document;
}

std::string Office::queue(Words words, std::string text) const {
    words.insert(words.begin(), "queue");
    CAPTURE(name_, words);
    const auto ran = run(std::move(words), std::move(text));
    CAPTURE(ran, log());
    REQUIRE(ran.exit_code == 0);
    REQUIRE(ran.out.ends_with('\n'));
    REQUIRE(std::ranges::count(ran.out, '\n') == 1);
    return ran.out.substr(0, ran.out.size() - 1);
}

std::string Office::deliver(const Words& words, const std::string& text) const {
    const auto id = queue(words, text);
    const auto ran = run({"wait", id, "--for", "delivered", "--timeout", "30s"});
    INFO(ran);
    REQUIRE(ran.exit_code == 0);
    return id;
}

Office& Network::bare(const std::string& name) {
    auto& office = offices_[name];
    office = std::make_unique<Office>(folder_.path(), name);
    return *office;
}

Office& Network::found(const std::string& name) {
    auto& office = bare(name);
    office.ask({"init", name, "--network", "reha", "--listen", office.endpoint(), "--advertise",
                office.endpoint()});
    office.start();
    return office;
}

Office& Network::invite(Office& inviting, const std::string& name, const std::string& role) {
    auto& office = bare(name);
    const auto file = folder_.path() / (name + ".invite");
    inviting.ask({"invite", name, "--role", role, "--no-code", "--output", file.string()});
    Words join = {"join", file.string()};
    if (role != "field") {
        join.insert(join.end(), {"--listen", office.endpoint(), "--advertise", office.endpoint()});
    }
    office.ask(join);
    return office;
}

Office& Network::add(Office& inviting, const std::string& name, const std::string& role) {
    auto& office = invite(inviting, name, role);
    office.start();
    const bool is_admitted = eventually(
        [&] { return knows_as_active(inviting, name) && knows_as_active(office, name); });
    INFO("the log of " << name << ":\n" << office.log() << inviting.log());
    REQUIRE(is_admitted);
    return office;
}

Office& Network::replace(Office& inviting, const std::string& name) {
    auto& machine = bare(name + "2");
    const auto file = folder_.path() / (name + "2.invite");
    inviting.ask({"invite", name, "--replace", "--no-code", "--output", file.string()});
    machine.ask({"join", file.string()});
    machine.start();
    REQUIRE(eventually(
        [&] { return knows_as_active(inviting, name) && knows_as_active(machine, name); }));
    return machine;
}

bool is_linked(const Office& office) {
    return number_in(office.ask({"status"}), "/peers/connected") == 1;
}

bool knows_as_active(const Office& at, const std::string& name) {
    const auto roster = at.ask({"roster"});
    return std::ranges::any_of(roster.at("offices"), [&](const auto& office) {
        return office.at("name") == name && office.at("state") == "active";
    });
}

std::uint64_t number_in(const Json& document, const std::string& pointer) {
    return document.at(Json::json_pointer(pointer)).get<std::uint64_t>();
}

Json entry_of(const Json& list, const std::string& id) {
    const auto found =
        std::ranges::find_if(list, [&](const auto& one) { return one.at("id") == id; });
    return found == list.end() ? Json() : *found;
}

std::vector<Json> documents_in(const std::string& lines) {
    std::vector<Json> all;
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);) {
        all.push_back(Json::parse(line));
    }
    return all;
}

std::vector<std::string> ids_of(const Json& list) {
    std::vector<std::string> ids;
    for (const auto& entry : list) {
        ids.push_back(entry.at("id"));
    }
    return ids;
}

void write_file(const fs::path& path, std::string_view content) {
    std::ofstream out(path, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    REQUIRE(out.flush().good());
}

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::stringstream content;
    content << in.rdbuf();
    return content.str();
}

std::vector<std::string> files_with(const fs::path& folder, std::string_view bytes) {
    std::vector<std::string> found;
    for (const auto& file : fs::recursive_directory_iterator(folder)) {
        if (file.is_regular_file() && read_file(file.path()).find(bytes) != std::string::npos) {
            found.push_back(file.path().string());
        }
    }
    return found;
}

std::string random_bytes(std::size_t size) {
    std::mt19937 dice{std::random_device{}()};
    std::uniform_int_distribution<int> any(0, 255);
    std::string bytes(size, '\0');
    std::ranges::generate(bytes, [&] { return static_cast<char>(any(dice)); });
    return bytes;
}

}  // namespace fieldpost::end_to_end
