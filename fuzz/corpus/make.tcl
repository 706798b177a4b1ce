# make.tcl -- makes the seeds for the fuzz targets: a small message of each type and form.
#
# Usage: tclsh fuzz/corpus/make.tcl PACKAGE
#
# PACKAGE is the folder of a built package. Certificates are those of the tests, in build/certs.

lassign $argv package
set here [file dirname [file normalize [info script]]]
set certs [file join $here .. .. build certs]
set dir [file normalize $package]
source [file join $dir pkgIndex.tcl]
package require tls

proc Seed {target name bytes} {
    file mkdir [file join $::here $target]
    set file [open [file join $::here $target seed-$name] wb]
    puts -nonewline $file $bytes
    close $file
}

proc Certificate {name} {
    return [file join $::certs $name]
}

set rsa [Certificate mail-rsa-both.pem]
set ec [Certificate mail-ec-both.pem]
set key {-secretkey 000102030405060708090a0b0c0d0e0f}
foreach {name words} [subst {
    signed {-sign -nodetach -signer $ec}
    stream {-sign -nodetach -stream -signer $ec}
    detached {-sign -signer $ec}
    bare {-sign -nodetach -noattr -nocerts -signer $ec -signer $rsa}
    pss {-sign -nodetach -keyid -signer $rsa -keyopt rsa_padding_mode:pss -nocerts}
    request {-sign -nodetach -signer $ec -receipt_request_all -receipt_request_to a@b}
    enveloped {-encrypt -aes128 [Certificate mail-rsa.pem]}
    agreed {-encrypt -aes128 [Certificate mail-ec.pem]}
    password {-encrypt -aes128 -pwri_password x}
    shared {-encrypt -aes128 $key -secretkeyid 01}
    gcm {-encrypt -aes-128-gcm [Certificate mail-ec.pem]}
    encrypted {-EncryptedData_encrypt -aes128 $key}
    digested {-digest_create}
    compressed {-compress}
    data {-data_create}
    datastream {-data_create -stream}
}] {
    # Certificates of recipients stand behind the options.
    set words [linsert $words 1 -data "hello\n" -outform]
    Seed cms_message $name [tls::cms {*}[linsert $words 4 DER]]
    if {$name in {signed detached enveloped compressed}} {
        Seed cms_mime $name [tls::cms {*}[linsert $words 4 SMIME]]
        Seed cms_mime $name-pem [tls::cms {*}[linsert $words 4 PEM]]
    }
}
set request [tls::cms -sign -nodetach -signer $ec -receipt_request_all -receipt_request_to a@b -data x]
Seed cms_message receipt [tls::cms -sign_receipt -data $request -signer $ec -outform DER]
set mail [tls::cms -sign -signer $ec -data "Content-Type: text/plain\n\nhello\n"]
Seed cms_mime list "Content-Type: multipart/mixed; boundary=list\n\n--list\n$mail\n--list\n\nfooter\n--list--\n"
Seed cms_mime forwarded "Content-Type: message/rfc822\n\nSubject: x (y\n\tz)\n$mail"
Seed cms_mime parameters [string map [list "boundary=\"" "boundary*0*=us-ascii'en'%2D; boundary*1=\""] $mail]
Seed cms_mime quoted "Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: quoted-printable\n\n=30=80=06\n"
