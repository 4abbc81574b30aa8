// A bad link: passes TCP connections on to an address of this machine, and cuts each after about so
// many bytes, a third more or less.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace fieldpost::end_to_end {

class CuttingProxy {
public:
    // `to` is "tcp://127.0.0.1:PORT", which need not listen yet.
    CuttingProxy(std::string to, std::uint64_t cut_after_bytes);
    ~CuttingProxy();
    CuttingProxy(const CuttingProxy&) = delete;
    CuttingProxy& operator=(const CuttingProxy&) = delete;

    // The address to connect to.
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
    [[nodiscard]] std::uint64_t cuts() const { return cuts_; }
    // Bytes passed on towards `to`, and back.
    [[nodiscard]] std::uint64_t bytes_there() const { return there_; }
    [[nodiscard]] std::uint64_t bytes_back() const { return back_; }

private:
    void run();
    void pass(int client, int server);

    std::string to_;
    std::uint64_t cut_after_;
    std::string endpoint_;
    int listener_ = -1;
    int stop_ = -1;
    std::atomic<std::uint64_t> cuts_ = 0;
    std::atomic<std::uint64_t> there_ = 0;
    std::atomic<std::uint64_t> back_ = 0;
    std::thread thread_;
};

}  // namespace fieldpost::end_to_end
