# package.tcl -- puts a built library and the package's scripts together as a folder that Tcl loads.
#
# Usage: tclsh tools/package.tcl LIBRARY FOLDER
#
# LIBRARY is what cargo built, e.g. target/release/libtls.so. FOLDER is made anew; it can be put
# anywhere on Tcl's auto_path. The version comes from Cargo.toml, the only place where it is
# written.

namespace eval assembly {
    variable root [file dirname [file dirname [file normalize [info script]]]]

    # What callers of the older packages require: the last conceivable version of each interface
    # that this package speaks. See "Package version" in doc/ARCHITECTURE.md.
    variable compatible {1.99 2.99}
}

# assembly::version --
#       The version of the package, from Cargo.toml.
#
# Results:
#       The version.
#
# Errors:
#       When Cargo.toml has none.
proc assembly::version {} {
    variable root
    set manifest [Slurp [file join $root Cargo.toml]]
    if {![regexp -line {^version = "([^"]+)"$} $manifest -> version]} {
        error "no version in Cargo.toml"
    }
    return $version
}

# assembly::make --
#       Makes the folder.
#
# Arguments:
#       library  the built library
#       folder   the folder to make; one that is there already is replaced
#
# Results:
#       None.
proc assembly::make {library folder} {
    variable root
    variable compatible
    set version [version]
    set name libtls$version[info sharedlibextension]
    set names [list @VERSIONS@ [list {*}$compatible $version] @LIBRARY@ $name]
    set index [string map $names [Slurp [file join $root pkgIndex.tcl.in]]]

    # The old folder goes first: writing into a library that a running program has mapped would
    # crash that program.
    file delete -force $folder
    file mkdir $folder
    file copy $library [file join $folder $name]
    file copy {*}[glob [file join $root library *.tcl] [file join $root LICENSE*]] $folder
    set file [open [file join $folder pkgIndex.tcl] w]
    try {
        fconfigure $file -encoding utf-8
        puts -nonewline $file $index
    } finally {
        close $file
    }
}

# assembly::Slurp --
#       Reads a text file.
#
# Arguments:
#       path    the file
#
# Results:
#       Its text.
proc assembly::Slurp {path} {
    set file [open $path]
    try {
        fconfigure $file -encoding utf-8
        return [read $file]
    } finally {
        close $file
    }
}

if {[llength $argv] != 2} {
    puts stderr "usage: tclsh tools/package.tcl LIBRARY FOLDER"
    exit 2
}
assembly::make {*}$argv
