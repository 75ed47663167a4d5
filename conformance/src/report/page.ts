/** The look of the report. */
export const style = `
:root{--ink:#1b1f24;--quiet:#636c76;--line:#e1e4e8;--paper:#fff;--shade:#f6f8fa;--pass:#1a7f37;--fail:#cf222e;--warn:#9a6700;--gray:#8c959f;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--quiet:#8d96a0;--line:#30363d;--paper:#0d1117;--shade:#161b22;--pass:#3fb950;--fail:#f85149;--warn:#d29922;--gray:#6e7681}}
*{box-sizing:border-box}body{margin:0;font:14px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
header,nav,main{max-width:1200px;margin:0 auto;padding:0 20px}header{padding-top:24px}h1{font-size:22px;margin:0 0 12px}h2{font-size:17px;margin:0 0 6px}h2 small{color:var(--quiet);font-weight:400}
section{border:1px solid var(--line);border-radius:8px;padding:12px 16px;margin-bottom:10px;background:var(--shade)}section p{margin:6px 0 0;color:var(--quiet)}
.score{margin-right:18px}.score b{font-size:20px}.score.pass b{color:var(--pass)}.score.fail b{color:var(--fail)}
nav{display:flex;gap:16px;flex-wrap:wrap;align-items:center;position:sticky;top:0;background:var(--paper);padding-top:10px;padding-bottom:10px;border-bottom:1px solid var(--line);z-index:1}
select,input{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--line);border-radius:6px;padding:3px 8px}.legend{color:var(--quiet);margin-left:auto}
table{border-collapse:collapse;width:100%;margin:0 0 24px;table-layout:fixed}caption{text-align:left;font-weight:600;font-size:16px;padding:22px 0 6px}caption small{color:var(--quiet);font-weight:400;margin-left:8px}dialog table{table-layout:auto}
col.id{width:290px}col.cell{width:84px}thead tr.targets th{color:var(--ink);font-weight:600;border-bottom:0;padding-bottom:0}
.areas{display:flex;flex-wrap:wrap;gap:6px;padding-top:14px}.areas a{color:inherit;text-decoration:none;border:1px solid var(--line);border-radius:14px;padding:2px 10px}.areas a:hover{background:var(--shade)}.areas b{font-weight:600;margin-left:6px;color:var(--pass)}.areas b.fail{color:var(--fail)}.areas b.none{color:var(--gray)}
.bar{display:flex;height:6px;border-radius:3px;overflow:hidden;margin:10px 0 2px;background:var(--line)}.bar i{display:block}.bar .pass{background:var(--pass)}.bar .warn{background:var(--warn)}.bar .fail{background:var(--fail)}.bar .untestable{background:#8250df}.bar .not-applicable{background:var(--gray);opacity:.4}
th,td{border-bottom:1px solid var(--line);padding:4px 8px;text-align:left;vertical-align:top}thead th{color:var(--quiet);font-weight:500;text-align:center;font-size:12px}thead th:first-child,thead th:nth-child(2){text-align:left}
td{overflow-wrap:anywhere}td.cell{text-align:center}thead th{overflow-wrap:anywhere}code,pre{font:12px/1.5 ui-monospace,SFMono-Regular,Menlo,monospace}tr:hover td{background:var(--shade)}.h{color:var(--quiet);font-size:11px;border:1px solid var(--line);border-radius:9px;padding:0 6px;margin-left:6px}
.c{display:inline-block;min-width:24px;border:0;border-radius:6px;padding:1px 7px;font:600 13px/1.4 system-ui;color:#fff;text-align:center}button.c{cursor:pointer}button.c:focus-visible{outline:2px solid var(--ink);outline-offset:1px}
.c.pass{background:var(--pass)}.c.fail,.c.harness-error{background:var(--fail)}.c.warn{background:var(--warn)}.c.untestable{background:#8250df}.c.not-applicable{background:var(--gray)}
dialog{width:min(960px,94vw);max-height:90vh;border:1px solid var(--line);border-radius:10px;background:var(--paper);color:var(--ink);padding:20px 24px}dialog::backdrop{background:#0008}dialog form{position:sticky;top:0;text-align:right;height:0}dialog form button{border:0;background:none;color:var(--quiet);font-size:16px;cursor:pointer}
dialog h3{margin:0 0 4px;font-size:17px}dialog h4{margin:18px 0 6px}.why{border-left:4px solid var(--fail);padding:6px 12px;background:var(--shade);margin:10px 0}.why.pass{border-color:var(--pass)}.why.warn{border-color:var(--warn)}
blockquote{margin:8px 0;color:var(--quiet)}pre{background:var(--shade);border:1px solid var(--line);border-radius:6px;padding:8px 10px;overflow:auto;white-space:pre-wrap;word-break:break-word;margin:4px 0}
details{border-bottom:1px solid var(--line);padding:4px 0}summary{cursor:pointer}summary code{word-break:break-all}.up{color:var(--pass)}.down{color:var(--fail)}
@media (max-width:700px){header,nav,main{padding-left:12px;padding-right:12px}nav{position:static;gap:8px}nav label,nav input{max-width:100%}.legend{margin-left:0}
#matrix table,#matrix tbody,#matrix caption{display:block}#matrix colgroup,#matrix thead,#matrix td.cell:empty{display:none}
#matrix tr{display:flex;flex-wrap:wrap;border-bottom:1px solid var(--line);padding:6px 0}#matrix td{border:0;padding:1px 0;flex:0 0 100%;min-width:0}#matrix td.cell{flex:0 0 auto;text-align:left;margin-right:12px}#matrix td.cell::before{content:attr(data-of) " ";color:var(--quiet);font-size:12px}}
`

/** What makes the matrix, in the browser. Text of targets is only ever set as text. */
export const script = `
const data=JSON.parse(document.getElementById('data').textContent)
const mark={pass:'\\u2713',warn:'!',fail:'\\u2717','harness-error':'\\u2717',untestable:'?','not-applicable':'\\u2013'}
const red=s=>s==='fail'||s==='untestable'||s==='harness-error'
const el=(tag,props,...kids)=>{const e=document.createElement(tag);Object.assign(e,props||{});e.append(...kids.filter(k=>k!==undefined&&k!==null));return e}
const family=id=>(/\\/(evm|svm)$/.exec(id)||[])[1]||''
const name=id=>id.replace(/\\/(evm|svm)$/,'')
const area=id=>id.replace(/-\\d+$/,'')
const rows=new Map()
data.runs.forEach((run,at)=>run.results.forEach(r=>{const key=name(r.check);const row=rows.get(key)||{id:key,requirement:r.requirement,title:r.title,profile:r.profile,cells:new Map()};row.cells.set(at+'/'+family(r.check),r);rows.set(key,row)}))
const matrix=document.getElementById('matrix')
const titles=data.titles
function draw(){
  const only=document.getElementById('status').value,profile=document.getElementById('profile').value,find=document.getElementById('find').value.toLowerCase()
  const areas=el('div',{className:'areas'})
  matrix.replaceChildren(areas)
  for(const a of data.areas){
    const shown=[...rows.values()].filter(r=>area(r.requirement)===a&&(!profile||r.profile===profile)&&(!find||(r.id+' '+r.title).toLowerCase().includes(find))&&(!only||[...r.cells.values()].some(c=>red(c.status)||(only==='warn'&&c.status==='warn')))).sort((x,y)=>x.id.localeCompare(y.id))
    if(!shown.length)continue
    const cells=shown.flatMap(r=>[...r.cells.values()]),bad=cells.filter(c=>red(c.status)).length,good=cells.filter(c=>c.status==='pass'||c.status==='warn').length
    areas.append(el('a',{href:'#area-'+a},a,el('b',{className:bad?'fail':good?'':'none',textContent:bad?bad+' red':good?String(good):'\\u2013'})))
    const many=data.runs.length>1
    const over=many?el('tr',{className:'targets'},el('th',{colSpan:2}),...data.runs.map((run,at)=>el('th',{colSpan:data.columns.filter(c=>c.run===at).length,textContent:run.header.target.name}))):null
    const head=el('tr',{},el('th',{textContent:'check'}),el('th',{textContent:'what is right'}),...data.columns.map(c=>el('th',{textContent:c.family||'any chain'})))
    const cols=el('colgroup',{},el('col',{className:'id'}),el('col'),...data.columns.map(()=>el('col',{className:'cell'})))
    const table=el('table',{id:'area-'+a},el('caption',{},a,el('small',{textContent:titles[a]||''})),cols,el('thead',{},...(over?[over]:[]),head),el('tbody',{},...shown.map(r=>el('tr',{},
      el('td',{className:'id'},el('code',{textContent:r.id}),r.profile==='hardening'?el('span',{className:'h',textContent:'hardening'}):null),
      el('td',{textContent:r.title}),
      ...data.columns.map(c=>{const hit=r.cells.get(c.run+'/'+c.family);const td=el('td',{className:'cell'});td.dataset.of=(many?data.runs[c.run].header.target.name+' ':'')+(c.family||'any chain');if(hit){const b=el('button',{className:'c '+hit.status,textContent:mark[hit.status],title:hit.status});b.setAttribute('aria-label',hit.check+': '+hit.status);b.onclick=()=>open(hit);td.append(b)}return td})))))
    matrix.append(table)
  }
  if(matrix.children.length<2)matrix.append(el('p',{textContent:'Nothing to show.'}))
}
function open(r){
  const t=data.texts[r.requirement]||{}
  const body=document.getElementById('body')
  const kids=[el('h3',{},el('code',{textContent:r.check}),' '+r.status),el('div',{textContent:r.title}),
    el('blockquote',{textContent:r.requirement+'  '+(t.text||'')+'  ('+[t.basis,t.source].filter(Boolean).join(', ')+')'})]
  if(r.finding)kids.push(el('div',{className:'why '+r.status},el('b',{textContent:r.finding.what}),...(r.finding.expected!==undefined?[el('div',{textContent:'expected: '+r.finding.expected})]:[]),...(r.finding.saw!==undefined?[el('div',{textContent:'saw: '+r.finding.saw})]:[])))
  if(r.hint)kids.push(el('p',{textContent:'What it means: '+r.hint}))
  if(r.replay)kids.push(el('pre',{textContent:'groat conform replay '+r.replay}))
  if(r.counterexample!==undefined)kids.push(el('h4',{textContent:'Counterexample'}),el('pre',{textContent:JSON.stringify(r.counterexample,null,2)}))
  if(r.chain)kids.push(el('h4',{textContent:'What the chain shows'}),el('table',{},el('tbody',{},...r.chain.map(d=>{const change=BigInt(d.after)-BigInt(d.before);return el('tr',{},el('td',{textContent:d.who}),el('td',{},el('code',{textContent:d.account})),el('td',{textContent:d.before+' \\u2192 '+d.after}),el('td',{className:change>0n?'up':change<0n?'down':'',textContent:(change>0n?'+':'')+change}))}))))
  if(r.trace)kids.push(el('h4',{textContent:'What went over the wire'}),...r.trace.map(x=>el('details',{},el('summary',{},el('code',{textContent:x.at+' ms  '+x.who+'  '+x.method+' '+x.url+'  '+(x.status||x.failure||'')})),...[['request',x.requestHeaders,x.requestBody],['answer',x.responseHeaders,x.responseBody]].filter(p=>p[1]||p[2]).map(p=>el('pre',{textContent:p[0]+'\\n'+Object.entries(p[1]||{}).map(h=>h[0]+': '+h[1]).join('\\n')+'\\n\\n'+pretty(p[2])})))))
  kids.push(el('p',{textContent:r.ms+' ms'}))
  body.replaceChildren(...kids)
  document.getElementById('detail').showModal()
}
function pretty(t){try{return JSON.stringify(JSON.parse(t),null,2)}catch{return t||''}}
for(const id of ['status','profile','find'])document.getElementById(id).oninput=draw
draw()
if(location.hash){const hit=data.runs.flatMap(r=>r.results).find(r=>'#'+r.check===location.hash);if(hit)open(hit)}
`
