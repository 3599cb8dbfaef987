"""Fine-tuning jobs as the server runs them.

service.py          what endpoints ask for: files, jobs, adapters
serving.py          opens all this beside an engine
new_job.py          what a request for a job says
hyperparameters.py  and about its training
queue.py            the thread that runs one job after the other
process.py          the process of a job, as the server sees it
job/                the program in that process
deletion.py         deletes what a job has made
"""
