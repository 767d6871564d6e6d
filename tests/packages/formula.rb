# Loads the formula as Homebrew does on a platform, has it install from an unpacked archive, and says what it did, as JSON.
#
#   ruby formula.rb FORMULA linux|macos intel|arm [ARCHIVE FOLDER]
#
# Homebrew itself is in no package registry: this has of it what the formula uses.
require "fileutils"
require "json"
require "pathname"

path, SYSTEM, PROCESSOR, archive, folder = ARGV
PREFIX = Pathname(folder || "/nowhere")

# A folder that is installed into, as Homebrew gives them to a formula.
class Pathname
  def install(*sources)
    mkpath
    sources.flatten.each do |source|
      pairs = source.is_a?(Hash) ? source : { source => File.basename(source) }
      raise "nothing to install" if pairs.empty?

      pairs.each { |from, to| FileUtils.cp(from, self + to) }
    end
  end
end

class Formula
  SAID = {}
  TESTS = []
  %w[desc homepage version license url sha256].each do |name|
    define_singleton_method(name) { |value| SAID[name] = value }
  end
  def self.depends_on(what) = (SAID["depends_on"] ||= []) << what
  %w[linux macos].each { |it| define_singleton_method("on_#{it}") { |&block| block.call if it == SYSTEM } }
  %w[intel arm].each { |it| define_singleton_method("on_#{it}") { |&block| block.call if it == PROCESSOR } }
  def self.test(&block) = TESTS << block
  def self.service(&block) = SAID["service"] = Service.new.tap { |it| it.instance_eval(&block) }.said

  { bin: "bin", opt_bin: "opt/bin", man1: "share/man/man1", var: "var", bash_completion: "etc/bash_completion.d",
    zsh_completion: "share/zsh/site-functions", fish_completion: "share/fish/vendor_completions.d" }.each do |name, place|
    define_method(name) { PREFIX + place }
  end
  def post_install; end
  def free_port = Integer(ENV.fetch("FREE_PORT"))

  def system(*words)
    Kernel.system(*words.map(&:to_s)) or raise "#{words.join(" ")} failed"
  end

  def spawn(*words) = Process.spawn(*words.map(&:to_s), out: File::NULL, err: File::NULL)
end

class Service < Formula
  attr_reader :said

  def initialize = @said = {}
  %w[run keep_alive working_dir log_path error_log_path].each do |name|
    define_method(name) { |*value, **more| @said[name] = more.empty? ? value.flatten.map(&:to_s) : more }
  end
end

load path
if archive
  Dir.chdir(archive) { Bulkd.new.install }
  Bulkd.new.post_install
  raise "it has #{Formula::TESTS.size} tests" unless Formula::TESTS.size == 1

  Dir.chdir(folder) { Bulkd.new.instance_exec(&Formula::TESTS[0]) }
end
puts JSON.generate(Formula::SAID)
