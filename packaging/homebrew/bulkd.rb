# The formula, for a tap. `scripts/assemble` makes a copy of it with addresses and sums of the archives that it finds, for
# the systems and processors of which it finds one. Homebrew reads the version from the address.
class Bulkd < Formula
  desc "Local server compatible with Courier's Bulk API"
  homepage "@HOMEPAGE@"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "@URL@/bulkd-aarch64-apple-darwin-v@VERSION@.tgz"
      sha256 "@SHA256:aarch64-apple-darwin@"
    end
    on_intel do
      url "@URL@/bulkd-x86_64-apple-darwin-v@VERSION@.tgz"
      sha256 "@SHA256:x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "@URL@/bulkd-aarch64-unknown-linux-musl-v@VERSION@.tgz"
      sha256 "@SHA256:aarch64-unknown-linux-musl@"
    end
    on_intel do
      url "@URL@/bulkd-x86_64-unknown-linux-musl-v@VERSION@.tgz"
      sha256 "@SHA256:x86_64-unknown-linux-musl@"
    end
  end

  def install
    bin.install "bulkd"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/bulkd.bash" => "bulkd"
    fish_completion.install "completions/bulkd.fish"
    zsh_completion.install "completions/_bulkd"
  end

  # The folders that the service writes to.
  def post_install
    (var/"bulkd").mkpath
    (var/"log").mkpath
  end

  service do
    run [opt_bin/"bulkd", "--db", var/"bulkd/bulkd.db"]
    keep_alive successful_exit: false
    working_dir var/"bulkd"
    log_path var/"log/bulkd.log"
    error_log_path var/"log/bulkd.log"
  end

  test do
    port = free_port
    pid = spawn bin/"bulkd", "--ephemeral", "--listen", "127.0.0.1:#{port}"
    system bin/"bulkd", "ready", "--url", "http://127.0.0.1:#{port}", "--wait", "20s"
  ensure
    Process.kill "TERM", pid
    Process.wait pid
  end
end
