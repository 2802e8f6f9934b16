--- script
if header :is "subject" "Grüße" { discard; }
--- message
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=

x
--- expect
discard
